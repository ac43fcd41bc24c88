import assert from "node:assert/strict";
import type { Point } from "../../../scripts/demo/line-protocol-parser.ts";
import type { Views } from "./virsh-views.ts";

// The fields that the agent computes: checked by hand against the counters of the same lines.

/** The lines of a guest's run, and what was shown before and after the last of them. */
export interface Observed {
  /** In the order of time. */
  readonly points: readonly Point[];
  readonly before: Views;
  readonly after: Views;
}

type Check = (observed: Observed) => void;

/** Collection is late by some milliseconds on a busy machine, and the CPU time is read before the other statistics. */
const NEAR = 0.2;
const VCPUS = 2;
const INTERVAL_S = 1;

/** The checks of computed fields. */
export const COMPUTED: Readonly<Record<string, Readonly<Record<string, Check>>>> = {
  vm_features: {
    memory_rate_kb_per_sec: ({ points }) => {
      const rates = growths(points, "vm_features", ["vm_metrics", "memory_used_kb"]);
      assert.ok(
        rates.some(({ grown }) => grown < 0),
        "memory was taken from the guest",
      );
      for (const { point, grown, seconds } of rates)
        assertNear(numberOf(point, "memory_rate_kb_per_sec"), grown / seconds);
    },
    memory_angle_deg: ({ points }) => {
      for (const point of linesOf(points, "vm_features"))
        assertExactly(
          numberOf(point, "memory_angle_deg"),
          (Math.atan(numberOf(point, "memory_rate_kb_per_sec")) * 180) / Math.PI,
        );
    },
  },
  vm_disks: {
    rd_latency_us: latency("rd_latency_us", ["vm_disks", "rd_ns"], ["vm_devices", "rd_req"]),
    wr_latency_us: latency("wr_latency_us", ["vm_disks", "wr_ns"], ["vm_devices", "wr_reqs"]),
    fl_latency_us: latency("fl_latency_us", ["vm_disks", "fl_ns"], ["vm_disks", "fl_reqs"]),
  },
  vm_memory: {
    guest_stats_age_s: ({ points }) => {
      const told = linesOf(points, "vm_memory").filter(({ fields }) => fields.has("last_update_s"));
      assert.ok(told.length > 0);
      for (const point of told)
        assert.equal(
          numberOf(point, "guest_stats_age_s"),
          Math.max(0, Math.floor(secondsOf(point)) - numberOf(point, "last_update_s")),
        );
    },
  },
  vm_status: {
    started_s: ({ points, before }) => {
      const lines = linesOf(points, "vm_status");
      const [first] = lines;
      assert.ok(first !== undefined);
      for (const point of lines) {
        const started = numberOf(point, "started_s");
        assert.ok(started >= Number(before.get("qemu started_s")) - 1 && started <= secondsOf(first), String(started));
      }
    },
    uptime_s: ({ points }) => {
      for (const point of linesOf(points, "vm_status"))
        assert.equal(numberOf(point, "uptime_s"), Math.floor(secondsOf(point)) - numberOf(point, "started_s"));
    },
  },
  vm_cpu: {
    usage_percent: ({ points }) => {
      const busy = growths(points, "vm_cpu", ["vm_metrics", "cputime_ns"]).filter(
        ({ point }) => numberOf(point, "usage_percent") > 5,
      );
      assert.ok(busy.length > 0, "the guest has worked");
      for (const { point, grown, seconds } of busy)
        assertNear(numberOf(point, "usage_percent"), (grown / (seconds * 1e9)) * 100);
    },
    usage_of_vcpus_percent: ({ points }) => {
      const lines = linesOf(points, "vm_cpu").filter(({ fields }) => fields.has("usage_percent"));
      assert.ok(lines.length > 0);
      for (const point of lines)
        assertExactly(numberOf(point, "usage_of_vcpus_percent"), numberOf(point, "usage_percent") / VCPUS);
    },
  },
  vm_node: {
    // It changes all the time.
    memory_free_kb: ({ points, before, after }) => {
      const free = [before, after].map((views) => Number(views.get("nodememstats free")?.split(" ")[0]));
      const slack = 0.1 * Number(before.get("nodememstats total")?.split(" ")[0]);
      const value = numberOf(lastOf(points, "vm_node"), "memory_free_kb");
      assert.ok(value > Math.min(...free) - slack && value < Math.max(...free) + slack, `${value}: ${free.join()}`);
    },
  },
  vm_agent: {
    cycle_ms: ({ points }) => {
      for (const { point, seconds } of consecutive(linesOf(points, "vm_agent"))) {
        const ms = numberOf(point, "cycle_ms");
        assert.ok(ms >= 0 && ms <= seconds * 1000 + 1, `${ms} of ${seconds} s`);
      }
    },
    cycles: ({ points }) => {
      for (const { point, before } of consecutive(linesOf(points, "vm_agent")))
        assert.equal(numberOf(point, "cycles"), numberOf(before, "cycles") + 1);
    },
    skipped: ({ points }) => {
      const lines = linesOf(points, "vm_agent");
      const [first, last] = [lines[0], lastOf(points, "vm_agent")];
      assert.ok(first !== undefined);
      const ticks = (secondsOf(last) - secondsOf(first)) / INTERVAL_S;
      const skipped = numberOf(last, "skipped") - numberOf(first, "skipped");
      assert.ok(Math.abs(ticks - (lines.length - 1) - skipped) < 1.5, `${ticks} ${lines.length} ${skipped}`);
    },
    lines: ({ points }) => {
      const [before, last] = linesOf(points, "vm_agent").slice(-2);
      assert.ok(before !== undefined && last !== undefined);
      // The line has the number before its own cycle.
      const earlier = points.filter(({ timestamp }) => timestamp <= before.timestamp);
      const ofCycles = earlier.filter(({ measurement }) => measurement !== "vm_events");
      const lines = numberOf(last, "lines");
      assert.ok(lines >= ofCycles.length && lines <= earlier.length, `${ofCycles.length} ${lines} ${earlier.length}`);
    },
    queued_lines: ({ points }) => {
      for (const point of linesOf(points, "vm_agent")) {
        const queued = numberOf(point, "queued_lines");
        assert.ok(queued >= 0 && queued <= points.length, String(queued));
      }
    },
    // All lines have arrived.
    dropped_lines: ({ points }) => {
      for (const point of linesOf(points, "vm_agent")) assert.equal(numberOf(point, "dropped_lines"), 0);
    },
    rejected_lines: ({ points }) => {
      for (const point of linesOf(points, "vm_agent")) assert.equal(numberOf(point, "rejected_lines"), 0);
    },
    stuck: ({ points }) => {
      for (const point of linesOf(points, "vm_agent")) assert.equal(numberOf(point, "stuck"), 0);
    },
    rss_kb: ({ points, after }) => {
      const [rss, peak] = [
        numberOf(lastOf(points, "vm_agent"), "rss_kb"),
        Number(after.get("agent VmHWM")?.split(" ")[0]),
      ];
      assert.ok(rss > peak / 2 && rss <= peak, `${rss} of ${peak}`);
    },
    cpu_ms: ({ points, before, after }) => {
      const shown = [before, after].map((views) => Number(views.get("agent cpu_ms")));
      const value = numberOf(lastOf(points, "vm_agent"), "cpu_ms");
      // The kernel shows whole hundredths of a second, of the user and of the system.
      assert.ok(value >= Math.min(...shown) && value <= Math.max(...shown) + 20, `${value}: ${shown.join()}`);
    },
  },
};

/** The time of the interval's requests by their number, wherever there were some. */
function latency(field: string, time: readonly [string, string], requests: readonly [string, string]): Check {
  return ({ points }) => {
    const times = growths(points, "vm_disks", time);
    let found = 0;
    for (const [at, { grown: count, point }] of growths(points, "vm_disks", requests).entries()) {
      assert.equal(point.fields.has(field), count > 0, `${count} requests`);
      if (count === 0) continue;
      found++;
      assertExactly(numberOf(point, field), (times[at]?.grown ?? Number.NaN) / count / 1000);
    }
    assert.ok(found > 0, "there were requests");
  };
}

interface Pair {
  readonly before: Point;
  readonly point: Point;
  readonly seconds: number;
}

/** Returns each line of a measurement with the one before it in its series. */
function consecutive(lines: readonly Point[]): readonly Pair[] {
  return [...Map.groupBy(lines, ({ tags }) => tags.get("device") ?? "").values()].flatMap((series) =>
    series.slice(1).flatMap((point, index) => {
      const before = series[index];
      return before === undefined ? [] : [{ before, point, seconds: secondsOf(point) - secondsOf(before) }];
    }),
  );
}

/** Returns by how much a counter of the same time and device has grown between two lines of a measurement. */
function growths(
  points: readonly Point[],
  measurement: string,
  [other, field]: readonly [string, string],
): readonly (Pair & { readonly grown: number })[] {
  const counters = linesOf(points, other);
  const at = ({ timestamp, tags }: Point): number => {
    const same = counters.find((one) => one.timestamp === timestamp && one.tags.get("device") === tags.get("device"));
    return same === undefined ? Number.NaN : numberOf(same, field);
  };
  return consecutive(linesOf(points, measurement)).map((pair) => ({
    ...pair,
    grown: at(pair.point) - at(pair.before),
  }));
}

export function linesOf(points: readonly Point[], measurement: string): readonly Point[] {
  return points.filter((point) => point.measurement === measurement);
}

function lastOf(points: readonly Point[], measurement: string): Point {
  const last = linesOf(points, measurement).at(-1);
  assert.ok(last !== undefined, `there is no line of ${measurement}`);
  return last;
}

function numberOf({ fields, measurement }: Point, field: string): number {
  const value = fields.get(field);
  assert.ok(typeof value === "bigint" || typeof value === "number", `${measurement} lacks ${field}`);
  return Number(value);
}

function secondsOf({ timestamp }: Point): number {
  return Number(timestamp / 1_000_000n) / 1000;
}

function assertNear(value: number, expected: number): void {
  assert.ok(Math.abs(value - expected) <= NEAR * Math.abs(expected), `${value}, expected ${expected}`);
}

/** Asserts the same number, apart from the rounding of a float. */
function assertExactly(value: number, expected: number): void {
  assert.ok(Math.abs(value - expected) <= 1e-9 * Math.max(1, Math.abs(expected)), `${value}, expected ${expected}`);
}
