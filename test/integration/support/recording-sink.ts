import { Sink, type Where } from "../../../scripts/demo/sink.ts";
import type { Point } from "../../../scripts/demo/line-protocol-parser.ts";

/** The points of one cycle of one libvirt daemon, which carry one timestamp. */
export interface Cycle {
  readonly timeMs: number;
  readonly points: readonly Point[];
}

/** A target that records its points. */
export class RecordingSink implements AsyncDisposable {
  readonly database = "telemetry";
  readonly org = "tests";
  readonly bucket = "telemetry";
  readonly points: Point[];
  readonly #sink: Sink;

  private constructor(sink: Sink, points: Point[]) {
    this.#sink = sink;
    this.points = points;
  }

  static async start(where?: Where): Promise<RecordingSink> {
    const points: Point[] = [];
    return new RecordingSink(await Sink.start((received) => points.push(...received), where), points);
  }

  get url(): string {
    return this.#sink.url;
  }

  /** The cycles in the order of time. */
  get cycles(): readonly Cycle[] {
    const byTime = Map.groupBy(this.points, ({ timestamp }) => Number(timestamp / 1_000_000n));
    return [...byTime].sort(([a], [b]) => a - b).map(([timeMs, points]) => ({ timeMs, points }));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#sink[Symbol.asyncDispose]();
  }
}

/** Returns the kinds of a domain's lines in a cycle: `vm_devices nic tap0`, `vm_metrics`, ... */
export function linesOf({ points }: Cycle, domain: string): string[] {
  return points.filter(({ tags }) => tags.get("name") === domain).map(lineName);
}

function lineName({ measurement, tags }: Point): string {
  return [measurement, tags.get("devtype"), tags.get("device")].filter((part) => part !== undefined).join(" ");
}

/** Returns the milliseconds between consecutive points. */
export function gapsOf(points: readonly Point[]): number[] {
  const times = [...new Set(points.map(({ timestamp }) => Number(timestamp / 1_000_000n)))].sort((a, b) => a - b);
  return times.slice(1).map((time, index) => time - (times[index] ?? time));
}

/** Returns the number of intervals without a point of a VM, from its first point to its last. */
export function missedTicks(points: readonly Point[], vm: string, intervalMs: number): number {
  const gaps = gapsOf(points.filter(({ tags }) => tags.get("name") === vm));
  return Math.round(gaps.reduce((sum, gap) => sum + gap, 0) / intervalMs) - gaps.length;
}

/** Returns repeated points: of one series and one time. */
export function repeatedPoints(points: readonly Point[]): string[] {
  const seen = new Set<string>();
  return points.flatMap((point) => {
    const key = `${seriesOf(point)} ${point.timestamp}`;
    if (seen.has(key)) return [key];
    seen.add(key);
    return [];
  });
}

const COUNTERS = /^(cputime(_ns)?|timeusr|timesys|((net|disk)_)?(rx|tx|rd_|wr_|errors).*)$/;

/** Returns the counters that fell between two points of a series, in the order of time. */
export function fallenCounters(points: readonly Point[]): string[] {
  const last = new Map<string, bigint>();
  return points
    .toSorted((a, b) => Number(a.timestamp - b.timestamp))
    .flatMap((point) =>
      [...point.fields].flatMap(([field, value]) => {
        if (typeof value !== "bigint" || !COUNTERS.test(field)) return [];
        const key = `${seriesOf(point)} ${field}`;
        const before = last.get(key) ?? 0n;
        last.set(key, value);
        return value < before ? [`${key}: ${before}, ${value}`] : [];
      }),
    );
}

function seriesOf({ measurement, tags }: Point): string {
  return JSON.stringify([measurement, ...tags]);
}

/** Returns the number of intervals from the first cycle to the last, inclusive. */
export function ticksSpanned(cycles: readonly Cycle[], intervalMs: number): number {
  const [first, last] = [cycles[0], cycles.at(-1)];
  return first === undefined || last === undefined ? 0 : Math.round((last.timeMs - first.timeMs) / intervalMs) + 1;
}
