import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import type { Point } from "../../scripts/demo/line-protocol-parser.ts";
import { systemClock } from "../../src/lib/clock.ts";
import type { AgentPod } from "./support/agent-pod.ts";
import type { LogEntry } from "./support/agent-process.ts";
import { EmulatedNode } from "./support/emulated-node.ts";
import type { KubeCluster } from "./support/kube.ts";
import { until } from "./support/process.ts";
import { missedTicks, RecordingSink } from "./support/recording-sink.ts";
import { applyConfig, target } from "./support/telemetry-config.ts";
import { startTelemetryCluster } from "./support/telemetry-cluster.ts";
import { applyVmi } from "./support/vmi.ts";

// Faults of an API server must not cost an agent a cycle. SOAK_MINUTES=10 makes the last test longer.

const INTERVAL_MS = 1_000;
const FLAPPING_MS = Number(process.env["SOAK_MINUTES"] ?? 0.5) * 60_000;

const resources = new AsyncDisposableStack();
let cluster: KubeCluster;
let node: EmulatedNode;
let agent: AgentPod;
let sink: RecordingSink;
let podUid: string;
/** Number of points at the beginning of the test. */
let begun = { points: 0, log: 0 };
let team = 0;

before(async () => {
  sink = resources.use(await RecordingSink.start());
  cluster = resources.use(await startTelemetryCluster());
  node = resources.use(await EmulatedNode.create(cluster, "node-1"));
  await applyConfig(cluster, "default", { targets: [target(sink)], tags: { vmLabels: [{ key: "team" }] } });
  ({ podUid } = await node.startVm({ namespace: "prod", name: "web" }));
  agent = await node.startAgent();
  await received(() => true);
});
after(() => resources.disposeAsync());
beforeEach(() => {
  begun = { points: sink.points.length, log: agent.log.length };
});

function points(): readonly Point[] {
  return sink.points.slice(begun.points);
}

/** Resolves to the first matching point of this test, now or later. */
function received(fits: (point: Point) => boolean): Promise<Point> {
  return until(() => Promise.resolve(points().find(fits)), "a point", 180_000);
}

/** Changes the VMI, and waits until the agent has noticed. */
async function assertFollowed(): Promise<void> {
  const label = `t${team++}`;
  await applyVmi(cluster, {
    namespace: "prod",
    name: "web",
    labels: { team: label },
    node: node.name,
    pods: { [podUid]: node.name },
  });
  await received(({ tags }) => tags.get("team") === label);
}

/** Asserts that the VM has a point for every second of this test, from one process. */
function assertNoCycleMissed(): void {
  assert.equal(missedTicks(points(), "web", INTERVAL_MS), 0);
  assert.equal(agent.log.filter(({ msg }) => msg === "started").length, 1);
}

/** Runs `during` while VMIs of another node change, which keeps the API server busy and its history growing. */
async function underLoad(act: () => Promise<void>): Promise<void> {
  let ended = false;
  const worker = async (name: string): Promise<void> => {
    for (let step = 0; !ended; step++) {
      const vmi = { namespace: "load", name, labels: { step: String(step) }, node: "elsewhere", pods: {} };
      // The server may be down at the moment.
      await applyVmi(cluster, vmi).catch(() => systemClock.sleep(50));
    }
  };
  const workers = ["a", "b", "c"].map(worker);
  try {
    await act();
  } finally {
    ended = true;
    await Promise.all(workers);
  }
}

test("a kill of the API server under load costs no cycle", async () => {
  await underLoad(async () => {
    await agent.run(2);
    await cluster.killApiServer();
  });
  await agent.logged(({ msg }) => msg.startsWith("no connection to the API server"), "the outage", begun.log);
  const launcher = await node.startLauncher();
  await launcher.createGuest({ namespace: "prod", name: "new" });
  // It is found within two seconds.
  await agent.run(4);
  await cluster.compact();
  await cluster.startApiServer();
  const vmi = { namespace: "prod", name: "new", node: node.name, pods: { [launcher.podUid]: node.name } };
  await applyVmi(cluster, { ...vmi, labels: { team: "late" } });
  await received(({ tags }) => tags.get("name") === "new");
  const nameless = points().filter(({ tags }) => tags.get("name") === "new" && tags.get("team") !== "late");
  assert.deepEqual(nameless, [], "a launcher waits for its VMI, however long the API server is away");
  await assertFollowed();
  assertNoCycleMissed();
  const again = agent.log.slice(begun.log).filter(({ msg }) => msg === "listed");
  assert.ok(again.length > 0, "a list, because the version of the watch is gone");
  await launcher[Symbol.asyncDispose]();
});

test("an expired token costs no cycle, and a new one needs no restart", async () => {
  await agent.revokeToken();
  // Open watches outlive the token.
  await cluster.killApiServer();
  await cluster.startApiServer();
  try {
    const isWarning = ({ level, code }: LogEntry): boolean => level === "warn" && code === "E_KUBE_DENIED";
    const { msg } = await agent.logged(isWarning, "that it is not let in", begun.log);
    assert.match(
      msg,
      /the API server rejects the (list|watch) of .*: 401 Unauthorized; the last known state stays active/,
    );
    await agent.run(2);
  } finally {
    await agent.renewToken();
  }
  await assertFollowed();
  assertNoCycleMissed();
});

test("repeated outages of the API server cost no cycle", async () => {
  await underLoad(async () => {
    const end = performance.now() + FLAPPING_MS;
    while (performance.now() < end) {
      await cluster.killApiServer();
      await systemClock.sleep(2_000 * Math.random());
      await cluster.startApiServer();
      await systemClock.sleep(4_000 * Math.random());
    }
  });
  await assertFollowed();
  assertNoCycleMissed();
  const warnings = agent.log.slice(begun.log).filter(({ level }) => level === "warn");
  assert.ok(warnings.length <= FLAPPING_MS / 1_000, `${warnings.length} warnings`);
});

test("an API server that does not answer does not delay the shutdown", async () => {
  cluster.freezeApiServer();
  await agent.run(2);
  assert.equal(await agent.stop(), 0);
  cluster.thawApiServer();
  assertNoCycleMissed();
  const last = agent.log.at(-1);
  assert.deepEqual([last?.msg, last?.["undeliveredLines"]], ["stopped", 0]);
});
