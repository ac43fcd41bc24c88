import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Arrivals } from "./arrivals.ts";
import { cpuMs, residentMiB } from "./process-usage.ts";
import { Writer, type WriterOptions } from "./writer.ts";

export const FLUSH_INTERVAL_MS = 1_000;
const BACKLOG_LINES = 500_000;
/** Smaller for the default pace: a full backlog would take long, and a part shows the pace. */
const PACED_LINES = 60_000;
const CAP_OFF = 10_000_000;
const OUTAGE_MS = 3_000;
const DRAIN_MS = 180_000;

export interface DrainCost {
  /** Whether the backlog drained at the default pace, instead of without a limit. */
  readonly paced: boolean;
  readonly backlogLines: number;
  readonly linesPerSecond: number;
  /** CPU of the writer for one line of the backlog, in microseconds. */
  readonly cpuUs: number;
  /** Longest lag in flush intervals, of lines written from one interval before the target's return until the backlog was gone. */
  readonly maxLag: number;
  readonly liveLines: number;
  /** Resident memory of the writer in MiB while the target was down, and its highest while the backlog drained. */
  readonly residentBefore: number;
  readonly residentPeak: number;
}

/** Starts a server that lines are passed on to. */
export type StartServer = (resources: AsyncDisposableStack) => Promise<Behind>;

interface Behind {
  /** Undefined: the lines are only counted. */
  readonly url: string | undefined;
  /** The target's configuration without its URL. */
  readonly target: object;
  readonly secrets?: WriterOptions["secrets"];
}

/** Starts no server: the lines are only counted. */
export const countOnly: StartServer = () =>
  Promise.resolve({ url: undefined, target: { v1: { database: "telemetry" } } });

/**
 * Resolves to the CPU of the writer of a checkout for one line of a backlog, in microseconds. It makes no new lines meanwhile, so
 * that the time that a drain takes on a busy machine does not count.
 */
export async function drainCpuUs(checkout: string): Promise<number> {
  const { cpuUs } = await drain(countOnly, false, { checkout, phaseMs: DRAIN_MS });
  return cpuUs;
}

/** Measures one drain to a server after an outage. */
export async function drain(
  start: StartServer,
  paced: boolean,
  writerOptions: Pick<WriterOptions, "checkout" | "phaseMs"> = {},
): Promise<DrainCost> {
  await using resources = new AsyncDisposableStack();
  const behind = await start(resources);
  const arrivals = resources.use(await Arrivals.start("refuse", behind.url));
  const backlogLines = paced ? PACED_LINES : BACKLOG_LINES;
  const target = {
    name: "main",
    url: arrivals.url,
    tls: { mode: "Plaintext" },
    ...behind.target,
    ...(!paced && { maxDrainLinesPerSecond: CAP_OFF }),
  };
  const options = {
    ...writerOptions,
    targets: [target],
    backlogLines,
    ...(behind.secrets && { secrets: behind.secrets }),
  };
  const writer = resources.use(await Writer.start(options));
  const filledMs = Date.now();
  await sleep(OUTAGE_MS);
  const residentBefore = residentMiB(writer.pid).now;
  // Resets the kernel's record of the highest resident memory.
  writeFileSync(`/proc/${writer.pid}/clear_refs`, "5");
  const cpuBefore = cpuMs(writer.pid);
  arrivals.mode = "take";
  const isPast = (writtenMs: number): boolean => writtenMs < filledMs;
  const deadline = Date.now() + DRAIN_MS;
  while (arrivals.count(isPast) < backlogLines) {
    if (Date.now() > deadline) throw new Error(`${arrivals.count(isPast)} of ${backlogLines} lines came`);
    await sleep(50);
  }
  const cpu = cpuMs(writer.pid) - cpuBefore;
  const times = arrivals.all.filter(({ writtenMs }) => isPast(writtenMs)).map(({ atMs }) => atMs);
  const [beganMs, endedMs] = [Math.min(...times), Math.max(...times)];
  // The last lines are still on the way.
  await sleep(2 * FLUSH_INTERVAL_MS);
  const isLive = (writtenMs: number): boolean => writtenMs >= beganMs - FLUSH_INTERVAL_MS && writtenMs <= endedMs;
  return {
    paced,
    backlogLines: arrivals.count(isPast),
    linesPerSecond: arrivals.count(isPast) / ((endedMs - beganMs) / 1_000),
    cpuUs: (cpu * 1_000) / arrivals.count(isPast),
    maxLag: arrivals.maxLagMs(isLive) / FLUSH_INTERVAL_MS,
    liveLines: arrivals.count(isLive),
    residentBefore,
    residentPeak: residentMiB(writer.pid).peak,
  };
}
