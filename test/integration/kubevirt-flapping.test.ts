import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { FakeInflux } from "../support/fake-influx.ts";
import { EmulatedNode } from "./support/emulated-node.ts";
import type { KubeCluster } from "./support/kube.ts";
import type { Launcher } from "./support/launcher.ts";
import { until } from "./support/process.ts";
import { applyConfig } from "./support/telemetry-config.ts";
import { API, startTelemetryCluster } from "./support/telemetry-cluster.ts";

/** The first report comes within a minute of the agent's start. */
const STARTED_MS = 90_000;
/** A minute, plus the time to detect a failing target and daemon, plus a request to the API server. */
const REPORTED_MS = 75_000;
/** The target is retried after a while, and the report follows. How fast is not the subject here. */
const RECOVERED_MS = 180_000;
/** The agent treats a launcher as starting for less than this. */
const STARTING_MS = 61_000;
const STOPPED_MS = 13_000;
const RUNNING_MS = 12_000;

const resources = new AsyncDisposableStack();
let cluster: KubeCluster;
let influx: FakeInflux;
let launcher: Launcher;

before(async () => {
  influx = resources.use(await FakeInflux.start({ version: "v2" }));
  cluster = resources.use(await startTelemetryCluster());
  await applyConfig(cluster, "default", {
    // Three failures in a row at most: the circuit breaker, which would hide the flapping, stays closed.
    collection: { interval: "5s" },
    targets: [{ name: "main", url: influx.url, tls: { mode: "Plaintext" }, v2: { org: "o", bucket: "b" } }],
  });
  const node = resources.use(await EmulatedNode.create(cluster, "flapping"));
  launcher = await node.startVm({ namespace: "prod", name: "vm", paused: true });
  await node.startAgent();
});
after(() => resources.disposeAsync());

interface Report {
  readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  readonly targetSummary?: string;
}

/** Resolves when the report has this state of the node and its targets, such as `True 1/1`. */
function reported(expected: string, timeoutMs: number): Promise<unknown> {
  return until(
    async () => {
      const { body } = await cluster.request("GET", `${API}/nodetelemetries/flapping`);
      const { conditions = [], targetSummary = "" } = (body.status ?? {}) as Report;
      const ready = conditions.find(({ type }) => type === "Ready")?.status ?? "";
      return `${ready} ${targetSummary}` === expected || undefined;
    },
    `the report to be ${expected}`,
    timeoutMs,
  );
}

test("a flapping daemon does not keep a failing node reported as ready for over a minute", async () => {
  await reported("True 1/1", STARTED_MS);
  // In the first minute of a launcher a daemon that does not answer is not a fault.
  await sleep(STARTING_MS);
  influx.fault = { kind: "status", status: 503 };
  const ended = new AbortController();
  const flapping = flap(ended.signal);
  try {
    await assert.doesNotReject(reported("False 0/1", REPORTED_MS));
  } finally {
    ended.abort();
    await flapping;
  }
  influx.fault = undefined;
  await reported("True 1/1", RECOVERED_MS);
});

/** Stops and continues the daemon repeatedly; at the end the daemon runs. */
async function flap(signal: AbortSignal): Promise<void> {
  const pause = (ms: number): Promise<unknown> => sleep(ms, undefined, { signal }).catch(() => undefined);
  while (!signal.aborted) {
    launcher.freezeDaemon();
    await pause(STOPPED_MS);
    launcher.thawDaemon();
    await pause(RUNNING_MS);
  }
}
