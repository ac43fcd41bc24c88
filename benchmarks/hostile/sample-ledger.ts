import { guestOf } from "./guests.ts";
import { honestVms, INTERVAL_MS } from "./plan.ts";

/** What the samples of the honest VMs in a window are like. */
export interface SampleFigures {
  /** Samples that are due: one for each VM and interval. */
  readonly due: number;
  /** Due samples that were taken, at most one interval late. */
  readonly taken: number;
  /** The longest time between two samples of a VM, in milliseconds. */
  readonly worstGapMs: number;
}

export interface HostileFigures {
  /** Lines that are not of an honest VM. */
  readonly lines: number;
  readonly series: number;
  /** Lines with the name or the UUID of an honest VM that its own launcher did not report. */
  readonly forged: number;
}

/** A time of some cycles. */
export interface Window {
  /** Milliseconds since the epoch. */
  readonly fromMs: number;
  /** When its cycles are due. */
  readonly ticks: readonly number[];
}

/** Returns the window of the next cycles, if one of the cycles was due at `tickMs`. */
export function windowOf(cycles: number, fromMs: number, tickMs: number): Window {
  const first = tickMs + Math.ceil((fromMs - tickMs) / INTERVAL_MS) * INTERVAL_MS;
  return { fromMs, ticks: Array.from({ length: cycles }, (_, index) => first + index * INTERVAL_MS) };
}

/** Returns when a sample of the last cycle is too late. */
export function endOf({ fromMs, ticks }: Window): number {
  return (ticks.at(-1) ?? fromMs) + INTERVAL_MS;
}

interface HonestVm {
  readonly uuid: string;
  /** Times of its samples, in milliseconds since the epoch. */
  readonly times: Set<number>;
}

/** A device of this name is in the reports of launchers that use a name which is not theirs. */
export const FORGED_DEVICE = "forged0";

const NAME = /,name=([^, ]+)/;
const UUID = /,uuid=([^, ]+)/;
/** A cycle reads the clock a moment before or after its tick. */
const NEAR_MS = INTERVAL_MS / 4;

/** Sorts the lines that a target stores into those of honest VMs and all others. */
export class SampleLedger {
  readonly #honest: ReadonlyMap<string, HonestVm>;
  readonly #honestUuids: ReadonlySet<string>;
  readonly #series = new Set<string>();
  #lines = 0;
  #forged = 0;

  constructor() {
    this.#honest = new Map(
      honestVms().map((vm) => [vm.name, { uuid: guestOf(vm).ref.uuid, times: new Set<number>() }]),
    );
    this.#honestUuids = new Set([...this.#honest.values()].map(({ uuid }) => uuid));
  }

  get hostile(): HostileFigures {
    return { lines: this.#lines, series: this.#series.size, forged: this.#forged };
  }

  /** Whether every honest VM has a sample. */
  get complete(): boolean {
    return [...this.#honest.values()].every(({ times }) => times.size > 0);
  }

  /** The time of the newest sample. */
  get latestMs(): number {
    return Math.max(...[...this.#honest.values()].flatMap(({ times }) => [...times]));
  }

  /** Takes lines of line protocol. */
  take(text: string): void {
    for (const line of text.split("\n")) if (line !== "") this.#takeLine(line);
  }

  /** Returns the figures of a window. */
  samples({ fromMs, ticks }: Window): SampleFigures {
    const toMs = endOf({ fromMs, ticks });
    let [taken, worstGapMs] = [0, 0];
    for (const { times } of this.#honest.values()) {
      const sorted = [...times].sort((a, b) => a - b);
      taken += takenTicks(ticks, sorted);
      worstGapMs = Math.max(worstGapMs, longestGap(sorted, fromMs, toMs));
    }
    return { due: ticks.length * this.#honest.size, taken, worstGapMs };
  }

  #takeLine(line: string): void {
    const seriesEnd = line.search(/(?<!\\) /);
    const series = line.slice(0, seriesEnd);
    const honest = this.#honest.get(NAME.exec(series)?.[1] ?? "");
    const uuid = UUID.exec(series)?.[1] ?? "";
    if (honest === undefined) {
      this.#lines++;
      this.#series.add(series);
      if (this.#honestUuids.has(uuid)) this.#forged++;
    } else if (series.includes(FORGED_DEVICE) || (uuid !== "" && uuid !== honest.uuid)) this.#forged++;
    else if (line.startsWith("vm_metrics,")) honest.times.add(Number(line.slice(line.lastIndexOf(" ") + 1, -6)));
  }
}

/**
 * Returns how many ticks have a sample of their own, at most one interval late. A sample near a tick is not a late one of the
 * tick before, or one that is missing would not show. Both lists are ascending.
 */
function takenTicks(ticks: readonly number[], times: readonly number[]): number {
  const unused = new Set(times);
  const take = (time: number | undefined): boolean => time !== undefined && unused.delete(time);
  const missing = ticks.filter((tick) => !take(nearest(times, tick)));
  const late = missing.filter((tick) => take([...unused].find((time) => time > tick && time <= tick + INTERVAL_MS)));
  return ticks.length - missing.length + late.length;
}

/** Returns the time that is nearest to a tick; undefined if none is near. */
function nearest(times: readonly number[], tick: number): number | undefined {
  const near = times.filter((time) => Math.abs(time - tick) <= NEAR_MS);
  return near.sort((a, b) => Math.abs(a - tick) - Math.abs(b - tick))[0];
}

/** Returns the longest time without a sample between two moments, counted from the last sample before the first moment. */
function longestGap(times: readonly number[], fromMs: number, toMs: number): number {
  let before = times.findLast((time) => time <= fromMs) ?? fromMs;
  let longest = 0;
  for (const time of times) {
    if (time <= fromMs || time > toMs) continue;
    longest = Math.max(longest, time - before);
    before = time;
  }
  return Math.max(longest, toMs - before);
}
