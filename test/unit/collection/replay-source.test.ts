import assert from "node:assert/strict";
import { test } from "node:test";
import { Collector, type CollectorSettings } from "../../../src/collection/collector.ts";
import type { SourceCycle } from "../../../src/collection/source.ts";
import { TelemetryError } from "../../../src/errors.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { ReplaySource } from "../../support/replay-source.ts";
import { named, RouterBench } from "../../support/router-bench.ts";

const SETTINGS: CollectorSettings = {
  timeoutMs: 4_000,
  deviceCacheTtlMs: 300_000,
  maxConcurrentEndpoints: 2,
  needs: [],
};

async function cycleOf(collector: Collector): Promise<SourceCycle[]> {
  const cycles: SourceCycle[] = [];
  await collector.collect((cycle) => void cycles.push(cycle));
  return cycles;
}

test("samples of any source become lines of the targets", async () => {
  await using bench = new RouterBench();
  await bench.apply({ a: ["Metrics"], b: ["Totals"] });
  const collector = new Collector(SETTINGS, bench.clock);
  collector.setSources([
    new ReplaySource("first", [{ samples: [named("web")] }, { samples: [named("web"), named("db")] }]),
    new ReplaySource("second", [{ samples: [named("cache")] }]),
  ]);
  for (let cycle = 0; cycle < 2; cycle++) {
    for (const { samples } of await cycleOf(collector)) for (const sample of samples) bench.router.route(sample);
    await bench.router.flush();
    await bench.clock.advance(5_000);
  }
  assert.deepEqual(bench.stored("a").sort(), ["cache vm_metrics", "db vm_metrics", "web vm_metrics"]);
  assert.deepEqual(bench.stored("b").sort(), ["cache vm_totals", "db vm_totals", "web vm_totals"]);
});

test("a failed source does not affect the others", async () => {
  const fault = new TelemetryError("E_INTERNAL", "a recorded failure");
  const collector = new Collector(SETTINGS, new FakeClock());
  collector.setSources([
    new ReplaySource("broken", [{ outcome: "failed", errors: [fault] }]),
    new ReplaySource("healthy", [{ samples: [named("web")] }]),
  ]);
  const cycles = await cycleOf(collector);
  assert.deepEqual(
    cycles.map(({ endpoint, outcome, samples, errors }) => [endpoint, outcome, samples.length, errors]),
    [
      ["broken", "failed", 0, [fault]],
      ["healthy", "collected", 1, []],
    ],
  );
});

test("the collector keeps the source of an id, and closes it when its id is no longer listed", async () => {
  const collector = new Collector(SETTINGS, new FakeClock());
  const [first, again, other] = ["a", "a", "b"].map((id) => new ReplaySource(id, [{}]));
  assert.ok(first !== undefined && again !== undefined && other !== undefined);
  collector.setSources([first]);
  collector.setSources([again, other]);
  assert.deepEqual([again.settings.length, first.closed], [0, false]);
  collector.setSources([other]);
  assert.deepEqual([first.closed, other.closed], [true, false]);
  assert.deepEqual(
    (await cycleOf(collector)).map(({ endpoint }) => endpoint),
    ["b"],
  );
  collector.close();
  assert.equal(other.closed, true);
});

test("each source gets the settings at its start and every change", () => {
  const collector = new Collector(SETTINGS, new FakeClock());
  const [early, late] = [new ReplaySource("early", []), new ReplaySource("late", [])];
  const changed = { ...SETTINGS, timeoutMs: 1_000 };
  collector.setSources([early]);
  collector.configure(changed);
  collector.setSources([early, late]);
  assert.deepEqual(early.settings, [SETTINGS, changed]);
  assert.deepEqual(late.settings, [changed]);
});

test("the collector's statistics are sums, and count the calls of closed sources", async () => {
  const collector = new Collector(SETTINGS, new FakeClock());
  collector.setSources([new ReplaySource("a", [{}]), new ReplaySource("b", [{}])]);
  await cycleOf(collector);
  assert.deepEqual(collector.stats, { versions: ["replay"], calls: 2, blockedCalls: 0 });
  collector.close();
  assert.deepEqual(collector.stats, { versions: [], calls: 2, blockedCalls: 0 });
});
