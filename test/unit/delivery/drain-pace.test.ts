import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DrainPace } from "../../../src/delivery/drain-pace.ts";
import type { Frame } from "../../../src/spool/spool.ts";

function frame(createdAtMs: number, lines: number): Frame {
  return { sequence: 0n, lines, rawBytes: 0, createdAtMs, payload: new Uint8Array() };
}

/** Returns frames of `lines` lines, one every `everyMs`. */
function frames(count: number, lines: number, everyMs: number, firstMs = 1_000_000): Frame[] {
  return Array.from({ length: count }, (_, index) => frame(firstMs + index * everyMs, lines));
}

test("a limit in the settings overrides the learned rate", () => {
  const pace = new DrainPace();
  assert.equal(pace.durationMs(frames(10, 500, 100), 2_000), 2_500);
  assert.equal(pace.durationMs([frame(0, 100)], 50), 2_000);
});

test("without a limit, a backlog is sent three times as fast as it was written", () => {
  const pace = new DrainPace();
  // 2,000 lines a second.
  pace.durationMs(frames(5, 10_000, 5_000), 0);
  assert.equal(pace.durationMs([frame(1_025_000, 12_000)], 0), 2_000);
});

test("frames within one second count together", () => {
  const pace = new DrainPace();
  const flush = (atMs: number): Frame[] => [frame(atMs, 4_000), frame(atMs, 4_000), frame(atMs + 500, 2_000)];
  pace.durationMs([...flush(0), ...flush(5_000), ...flush(10_000)], 0);
  assert.equal(pace.durationMs([frame(15_000, 6_000)], 0), 1_000);
});

test("a slow or unknown rate gives a thousand lines a second", () => {
  const pace = new DrainPace();
  assert.equal(pace.durationMs([frame(0, 3_000)], 0), 3_000);
  assert.equal(pace.durationMs(frames(5, 10, 5_000), 0), 50);
});

test("a change of the clock leaves a usable pace", () => {
  const pace = new DrainPace();
  pace.durationMs(frames(3, 10_000, 5_000), 0);
  assert.equal(pace.durationMs([frame(5, 6_000)], 0), 1_000);
  pace.durationMs(frames(3, 20_000, 5_000, 5), 0);
  assert.equal(pace.durationMs([frame(15_005, 6_000)], 0), 500);
  pace.durationMs([frame(9_000_000_000, 1)], 0);
  assert.equal(pace.durationMs([frame(9_000_000_000, 6_000)], 0), 6_000);
});

test("without frames the duration is 0, and every duration is finite", () => {
  assert.equal(new DrainPace().durationMs([], 0), 0);
  const any = fc.record({ lines: fc.nat(100_000), createdAtMs: fc.maxSafeNat() });
  fc.assert(
    fc.property(fc.array(any), fc.nat(), (given, limit) => {
      const all = given.map(({ createdAtMs, lines }) => frame(createdAtMs, lines));
      const ms = new DrainPace().durationMs(all, limit);
      const lines = all.reduce((sum, each) => sum + each.lines, 0);
      assert.ok(ms >= 0 && ms <= (lines / (limit || 1_000)) * 1_000 + 1e-6);
    }),
  );
});
