import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Series } from "../../../src/measurement/series.ts";
import { EndpointQuota } from "../../../src/routing/endpoint-quota.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const HOUR_MS = 3_600_000;

function series(text: string): Series {
  return { measurement: {}, part: undefined, text, countedIn: undefined };
}

test("lines above the budget of a cycle are left out, and the next cycle has the whole budget again", () => {
  const quota = new EndpointQuota({ lines: 2, newSeries: 100 }, new FakeClock());
  const admitted = (): boolean[] => ["a", "b", "c", "d"].map((text) => quota.admits(series(text)));
  assert.deepEqual(admitted(), [true, true, false, false]);
  const { leftOutLines, errors } = quota.endCycle();
  assert.deepEqual([leftOutLines, errors.map(({ rejection }) => rejection)], [2, ["Lines"]]);
  assert.deepEqual(admitted(), [true, true, false, false]);
});

test("a cycle within the budget has no error", () => {
  const quota = new EndpointQuota({ lines: 2, newSeries: 2 }, new FakeClock());
  quota.admits(series("a"));
  assert.deepEqual(quota.endCycle(), { leftOutLines: 0, errors: [] });
});

test("an error says the same in each cycle, whatever the number of lines", () => {
  const quota = new EndpointQuota({ lines: 100, newSeries: 1 }, new FakeClock());
  const message = (...texts: readonly string[]): string | undefined => {
    for (const text of texts) quota.admits(series(text));
    return quota.endCycle().errors[0]?.message;
  };
  assert.equal(message("a", "b"), message("a", "c", "d"));
});

test("a device that returns within the hour is not a new series", () => {
  const quota = new EndpointQuota({ lines: 10, newSeries: 2 }, new FakeClock());
  const one = series("vda");
  assert.equal(quota.admits(one), true);
  assert.equal(quota.admits(series("vdb")), true);
  assert.equal(quota.admits(series("vdb")), true);
  assert.equal(quota.admits(series("vdc")), false);
  assert.equal(quota.admits(one), true);
});

test("without a share of the spool no line is written and no series counts", () => {
  const quota = new EndpointQuota({ lines: 10, newSeries: 1 }, new FakeClock());
  quota.hasSpoolShare = false;
  assert.equal(quota.admits(series("a")), false);
  assert.deepEqual(
    quota.endCycle().errors.map(({ rejection }) => rejection),
    ["SpoolShare"],
  );
  quota.hasSpoolShare = true;
  assert.equal(quota.admits(series("b")), true);
});

test("a launcher writes at most its budget of different series in an hour, and each of those in every cycle", () => {
  const cycle = fc.record({ names: fc.array(fc.nat(40), { maxLength: 30 }), passedMs: fc.nat(HOUR_MS / 4) });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.array(cycle, { maxLength: 40 }), (newSeries, cycles) => {
      const clock = new FakeClock();
      const quota = new EndpointQuota({ lines: 1_000, newSeries }, clock);
      // As an encoder does, a series may be the same object in the next cycle.
      const kept = new Map<number, Series>();
      let hour = new Set<number>();
      let began = clock.monotonic();
      for (const { names, passedMs } of cycles) {
        for (const name of names) {
          const one = name % 2 === 0 ? series(`s${name}`) : (kept.get(name) ?? series(`s${name}`));
          kept.set(name, one);
          const isExpected = hour.has(name) || hour.size < newSeries;
          assert.equal(quota.admits(one), isExpected);
          if (isExpected) hour.add(name);
        }
        clock.block(passedMs);
        quota.endCycle();
        if (clock.monotonic() - began < HOUR_MS) continue;
        hour = new Set();
        began = clock.monotonic();
      }
    }),
  );
});
