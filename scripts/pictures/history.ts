import { setTimeout } from "node:timers/promises";
import { pino } from "pino";
import { SimulatedFleet } from "./simulated-fleet.ts";
import type { Endpoint } from "../../src/collection/libvirt/endpoint.ts";
import { parseConfig } from "../../src/config/parse.ts";
import { resolveConfig, type EffectiveConfig } from "../../src/config/resolve.ts";
import { secretsDirectory } from "../../src/config/secrets-dir.ts";
import { TargetAccessReader } from "../../src/config/target-access.ts";
import { localEndpoints } from "../../src/node/endpoints.ts";
import { NodeLog } from "../../src/node/node-log.ts";
import { NodeState } from "../../src/node/node-state.ts";
import { Pipeline } from "../../src/node/pipeline.ts";
import { Router } from "../../src/routing/router.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import type { Shown } from "../../test/integration/support/grafana.ts";

const HOUR_MS = 3_600_000;
const INTERVAL_MS = 10_000;
const CYCLES = HOUR_MS / INTERVAL_MS;
/** Three cycles: each point of a chart has a sample of every VM. */
const BUCKET_S = 30;
/** The first cycle begins this long after the hour does. */
const PHASE_MS = 4_000;
/** How long the VMs have run when the hour begins. */
const UPTIME_S = 3 * 3_600;
const FLUSH_MS = 100;
/** The longest real time of one cycle and its delivery. */
const PATIENCE_MS = 30_000;

const VMS = {
  "node-a": ["shop_web-1", "shop_db", "office_mail", "lab_batch"],
  "node-b": ["shop_web-2", "shop_search", "office_files", "lab_notebook"],
  "node-c": ["shop_cache", "office_desktop", "lab_ci"],
} as const;

/** What the dashboards of one node and of one VM show. */
export const CHOSEN = { node: "node-a", namespace: "shop", vm: "web-1" } as const;
const MOVED = "shop_web-1";

/** Number of the cycle -> what happens before it. */
const HAPPENINGS: ReadonlyMap<number, (fleet: SimulatedFleet) => void | Promise<void>> = new Map([
  [
    70,
    (fleet) => {
      fleet.reboot(MOVED);
    },
  ],
  [
    110,
    (fleet) => {
      fleet.reboot("lab_notebook");
    },
  ],
  [
    125,
    (fleet) => {
      fleet.pause(MOVED);
    },
  ],
  [
    140,
    (fleet) => {
      fleet.resume(MOVED);
    },
  ],
  [
    230,
    (fleet) => {
      fleet.beginMigration(MOVED, "node-b");
    },
  ],
  [
    233,
    (fleet) => {
      fleet.endMigration(MOVED);
    },
  ],
  [234, (fleet) => fleet.arrive(MOVED)],
  [
    310,
    (fleet) => {
      fleet.pause("lab_batch");
    },
  ],
]);

/** An InfluxDB 1 that needs no password. */
export interface Database {
  readonly url: string;
  readonly database: string;
}

/**
 * Lets the agents of three simulated nodes deliver the last hour to a database within seconds: their clock is set to an hour ago and
 * advanced from cycle to cycle. Everything but the clock is what runs in an agent. Resolves to the hour. The nodes remain until
 * `resources` are disposed.
 * @throws {Error} if a cycle, or its delivery, takes too long
 */
export async function writeHour(
  to: Database,
  resources: AsyncDisposableStack,
  progress: (minutes: number) => void,
): Promise<Shown> {
  const bucketMs = BUCKET_S * 1000;
  const fromMs = Math.floor((Date.now() - HOUR_MS) / bucketMs) * bucketMs;
  const clock = new FakeClock();
  clock.step(fromMs + PHASE_MS - clock.now());
  const beginMs = clock.monotonic();
  const fleet = resources.use(new SimulatedFleet(clock));
  await fleet.start(VMS);
  const config = await configOf(to);
  const ended = new AbortController();
  const nodes = Object.keys(VMS).map((name) => startNode(name, fleet, clock, config, ended.signal));
  try {
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      await HAPPENINGS.get(cycle)?.(fleet);
      await clock.advance(beginMs + cycle * INTERVAL_MS - clock.monotonic());
      await reached(() => nodes.every(({ state }) => state.cycles.count > cycle), clock, 0);
      await reached(() => nodes.every(({ router }) => router.undeliveredLines === 0), clock, FLUSH_MS);
      if (((cycle + 1) * INTERVAL_MS) % (10 * 60_000) === 0) progress(((cycle + 1) * INTERVAL_MS) / 60_000);
    }
  } finally {
    ended.abort();
    await Promise.all(nodes.map(({ end }) => end()));
  }
  return { fromMs, toMs: fromMs + HOUR_MS - 1, intervalS: BUCKET_S };
}

interface Node {
  readonly state: NodeState;
  readonly router: Router;
  readonly end: () => Promise<void>;
}

function startNode(
  name: string,
  fleet: SimulatedFleet,
  clock: FakeClock,
  config: EffectiveConfig,
  signal: AbortSignal,
): Node {
  const nodeLog = new NodeLog(pino({ level: "warn" }), clock);
  const state = new NodeState(nodeLog, clock);
  const router = new Router({ node: name, clock, observer: nodeLog, onMissing: () => undefined });
  const startedS = clock.now() / 1000 - UPTIME_S;
  const find = localEndpoints({ podsDir: fleet.podsDir(name), libvirtSockets: [] }, clock);
  const pipeline = new Pipeline({
    router,
    state,
    clock,
    readHost: () => Promise.resolve(fleet.hostStats(name)),
    findEndpoints: async (found) => (await find(found)).map((endpoint) => asInCluster(endpoint, name, fleet, startedS)),
  });
  pipeline.configure(config);
  const running = pipeline.run(Number.POSITIVE_INFINITY, signal);
  return {
    state,
    router,
    end: async () => {
      await running;
      await router.stop();
    },
  };
}

/** Adds what a VMI says of a VM, which an agent without a cluster does not know: its start and its live migrations. */
function asInCluster(endpoint: Endpoint, node: string, fleet: SimulatedFleet, startedS: number): Endpoint {
  return {
    ...endpoint,
    identify: (domain, ...state) => {
      const named = endpoint.identify?.(domain, ...state);
      const migration = fleet.migrationOn(node, domain.name);
      return named && { ...named, startedS, ...(migration !== undefined && { migration }) };
    },
  };
}

/** Waits until something is true. Meanwhile the clock advances by some milliseconds after each wait, but not to the next cycle. */
async function reached(isTrue: () => boolean, clock: FakeClock, stepMs: number): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  const lastMs = clock.monotonic() + INTERVAL_MS - 2 * stepMs;
  while (!isTrue()) {
    if (performance.now() > deadline)
      throw new Error(`a cycle or its delivery took more than ${PATIENCE_MS / 1000} seconds; see the messages above`);
    if (stepMs > 0 && clock.monotonic() < lastMs) await clock.advance(stepMs);
    await setTimeout(1);
  }
}

async function configOf({ url, database }: Database): Promise<EffectiveConfig> {
  const tls = url.startsWith("http:") ? "Plaintext" : "Verify";
  const { config, faults } = parseConfig(
    JSON.stringify({
      apiVersion: "kubevirt-telemetry.io/v1alpha1",
      kind: "TelemetryConfig",
      metadata: { name: "demo" },
      spec: {
        collection: {
          interval: `${INTERVAL_MS / 1000}s`,
          families: [
            "Metrics",
            "Features",
            "Devices",
            "Totals",
            "Disks",
            "Memory",
            "Status",
            "Vcpus",
            "Events",
            "Jobs",
            "Node",
          ],
          schedules: [],
        },
        targets: [
          { name: "influxdb", url, tls: { mode: tls }, flush: { interval: `${FLUSH_MS}ms` }, v1: { database } },
        ],
      },
    }),
  );
  if (faults !== undefined) throw new Error(faults.map(({ message }) => message).join("; "));
  return resolveConfig(config, new TargetAccessReader(secretsDirectory(undefined)));
}
