import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Influxd1 } from "../test/integration/support/influxd1.ts";
import { Influxd2 } from "../test/integration/support/influxd2.ts";
import { Arrivals } from "./arrivals.ts";
import { residentMiB } from "./process-usage.ts";
import { Writer, type WriterOptions } from "./writer.ts";

export const FLUSH_INTERVAL_MS = 1_000;
const BACKLOG_LINES = 500_000;
/** Smaller for the default pace: a full backlog would take long, and a part shows the pace. */
const PACED_LINES = 60_000;
const CAP_OFF = 10_000_000;
const OUTAGE_MS = 3_000;
const DRAIN_MS = 180_000;

export interface DrainCost {
  readonly server: string;
  /** Whether the backlog drained at the default pace, instead of without a limit. */
  readonly paced: boolean;
  readonly backlogLines: number;
  readonly linesPerSecond: number;
  /** Longest lag in flush intervals, of lines written from one interval before the target's return until the backlog was gone. */
  readonly maxLag: number;
  readonly liveLines: number;
  /** Resident memory of the writer in MiB while the target was down, and its highest while the backlog drained. */
  readonly residentBefore: number;
  readonly residentPeak: number;
}

interface Behind {
  readonly url: string | undefined;
  /** The target's configuration without its URL. */
  readonly target: object;
  readonly secrets?: WriterOptions["secrets"];
}

type StartServer = (resources: AsyncDisposableStack) => Promise<Behind>;

const SERVERS: Readonly<Record<string, StartServer>> = {
  "a server that only counts": () => Promise.resolve({ url: undefined, target: { v1: { database: "telemetry" } } }),
  "InfluxDB 2": async (resources) => {
    const { url, org, bucket, token } = resources.use(await Influxd2.start());
    const target = { v2: { org, bucket, tokenSecretRef: { name: "influx" } } };
    return { url, target, secrets: { influx: { token } } };
  },
  "InfluxDB 1": async (resources) => {
    const { url, database } = resources.use(await Influxd1.start());
    return { url, target: { v1: { database } } };
  },
};

/** Measures delivery after an outage of a target. */
export async function measureDrains(): Promise<readonly DrainCost[]> {
  const costs: DrainCost[] = [];
  for (const server of Object.keys(SERVERS)) costs.push(await drain(server, false));
  costs.push(await drain("InfluxDB 2", true));
  return costs;
}

async function drain(server: string, paced: boolean): Promise<DrainCost> {
  await using resources = new AsyncDisposableStack();
  const behind = await SERVERS[server]?.(resources);
  if (behind === undefined) throw new Error(`there is no server ${server}`);
  const arrivals = resources.use(await Arrivals.start("refuse", behind.url));
  const backlogLines = paced ? PACED_LINES : BACKLOG_LINES;
  const target = {
    name: "main",
    url: arrivals.url,
    tls: { mode: "Plaintext" },
    ...behind.target,
    ...(!paced && { maxDrainLinesPerSecond: CAP_OFF }),
  };
  const options = { targets: [target], backlogLines, ...(behind.secrets && { secrets: behind.secrets }) };
  const writer = resources.use(await Writer.start(options));
  const filledMs = Date.now();
  await sleep(OUTAGE_MS);
  const residentBefore = residentMiB(writer.pid).now;
  // Resets the kernel's record of the highest resident memory.
  writeFileSync(`/proc/${writer.pid}/clear_refs`, "5");
  arrivals.mode = "take";
  const isPast = (writtenMs: number): boolean => writtenMs < filledMs;
  const deadline = Date.now() + DRAIN_MS;
  while (arrivals.count(isPast) < backlogLines) {
    if (Date.now() > deadline) throw new Error(`${arrivals.count(isPast)} of ${backlogLines} lines came`);
    await sleep(50);
  }
  const times = arrivals.all.filter(({ writtenMs }) => isPast(writtenMs)).map(({ atMs }) => atMs);
  const [beganMs, endedMs] = [Math.min(...times), Math.max(...times)];
  // The last lines are still on the way.
  await sleep(2 * FLUSH_INTERVAL_MS);
  const isLive = (writtenMs: number): boolean => writtenMs >= beganMs - FLUSH_INTERVAL_MS && writtenMs <= endedMs;
  return {
    server,
    paced,
    backlogLines: arrivals.count(isPast),
    linesPerSecond: arrivals.count(isPast) / ((endedMs - beganMs) / 1_000),
    maxLag: arrivals.maxLagMs(isLive) / FLUSH_INTERVAL_MS,
    liveLines: arrivals.count(isLive),
    residentBefore,
    residentPeak: residentMiB(writer.pid).peak,
  };
}
