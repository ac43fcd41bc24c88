import { setTimeout as sleep } from "node:timers/promises";
import { Arrivals } from "./arrivals.ts";
import { FLUSH_INTERVAL_MS } from "./drain.ts";
import { cpuMs } from "./process-usage.ts";
import { median } from "./rounds.ts";
import { Writer } from "./writer.ts";

/** Intervals in seconds; the last is the default of the configuration. */
const INTERVALS_S = [1, 5];
const TARGETS = [1, 2, 4];
const APART_MS = 160;
const WARM_UP_MS = 20_000;
const WINDOW_MS = 20_000;
const ROUNDS = 5;
const HUNG_MS = 20_000;

export interface FanOutCost {
  readonly intervalS: number;
  readonly targets: number;
  /** Percent of a core. */
  readonly cpu: number;
}

/** Longest lag of a healthy target, in flush intervals. */
export interface Lags {
  readonly alone: number;
  readonly besideHung: number;
}

/** Measures the cost of a node's lines. All writers run in the same time, for equal conditions, but write at different moments. */
export async function measureFanOut(): Promise<readonly FanOutCost[]> {
  await using resources = new AsyncDisposableStack();
  const arrivals = resources.use(await Arrivals.start("ignore"));
  const writers: Omit<FanOutCost, "cpu">[] = [];
  const pids: number[] = [];
  for (const intervalS of INTERVALS_S) {
    for (const targets of TARGETS) {
      const specs = Array.from({ length: targets }, (_, index) => targetOf(`target-${index}`, arrivals));
      const phaseMs = pids.length * APART_MS;
      pids.push(resources.use(await Writer.start({ targets: specs, intervalS, phaseMs })).pid);
      writers.push({ intervalS, targets });
    }
  }
  await sleep(WARM_UP_MS);
  const rounds: (readonly number[])[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const [before, beganMs] = [pids.map(cpuMs), performance.now()];
    await sleep(WINDOW_MS);
    const elapsedMs = performance.now() - beganMs;
    rounds.push(pids.map((pid, index) => (100 * (cpuMs(pid) - (before[index] ?? 0))) / elapsedMs));
  }
  return writers.map((writer, index) => ({ ...writer, cpu: median(rounds, (round) => round[index] ?? Number.NaN) }));
}

/** Measures two nodes at the same time: one with a healthy target, and one with a second target that never answers. */
export async function measureLags(): Promise<Lags> {
  await using resources = new AsyncDisposableStack();
  const [alone, beside] = [resources.use(await Arrivals.start("take")), resources.use(await Arrivals.start("take"))];
  const hung = resources.use(await Arrivals.start("hang"));
  resources.use(await Writer.start({ targets: [targetOf("healthy", alone)] }));
  resources.use(await Writer.start({ targets: [targetOf("hung", hung), targetOf("healthy", beside)] }));
  await sleep(HUNG_MS);
  const lag = (arrivals: Arrivals): number => arrivals.maxLagMs(() => true) / FLUSH_INTERVAL_MS;
  return { alone: lag(alone), besideHung: lag(beside) };
}

function targetOf(name: string, { url }: Arrivals): object {
  return { name, url, tls: { mode: "Plaintext" }, v1: { database: "telemetry" } };
}
