import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { backoffMs } from "../../../src/lib/backoff.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { formatDuration, parseDuration } from "../../../src/lib/duration.ts";
import { RateLimit } from "../../../src/lib/rate-limit.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { turns } from "../../support/turns.ts";

test("a duration is parsed by the grammar of the Gateway API", () => {
  const cases: [string, number | undefined][] = [
    ["5s", 5_000],
    ["1h30m", 5_400_000],
    ["100ms", 100],
    ["2m500ms", 120_500],
    ["0s", 0],
    ["5", undefined],
    ["", undefined],
    ["1.5s", undefined],
    ["-1s", undefined],
    ["5 s", undefined],
    ["1d", undefined],
    ["100000s", undefined],
    ["1s1s1s1s1s", undefined],
  ];
  for (const [text, expected] of cases) assert.equal(parseDuration(text), expected, text);
});

test("a formatted duration parses to the same milliseconds", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 99_999 * 3_600_000 }), (ms) => {
      assert.equal(parseDuration(formatDuration(ms)), ms);
    }),
  );
});

test("a backoff is between zero and the smaller of its cap and base * 2^attempt", () => {
  fc.assert(
    fc.property(fc.nat(1_000), fc.double({ min: 0, max: 0.999, noNaN: true }), (attempt, random) => {
      const ms = backoffMs(attempt, { baseMs: 500, capMs: 60_000 }, () => random);
      assert.ok(ms >= 0 && ms < 60_000 && ms <= 500 * 2 ** attempt);
    }),
  );
});

test("each cause is allowed once per period", async () => {
  const clock = new FakeClock();
  const limit = new RateLimit(300_000, clock);
  assert.deepEqual([limit.allows("a"), limit.allows("a"), limit.allows("b")], [true, false, true]);
  await clock.advance(299_999);
  assert.equal(limit.allows("a"), false);
  await clock.advance(1);
  assert.equal(limit.allows("a"), true);
});

test("a cause with several times is allowed as often in a period", async () => {
  const clock = new FakeClock();
  const limit = new RateLimit(300_000, clock, 2);
  assert.deepEqual([limit.allows("a"), limit.allows("a"), limit.allows("a")], [true, true, false]);
  await clock.advance(300_000);
  assert.equal(limit.allows("a"), true);
});

test("many causes do not make a rate limit forget one, and end with their period", async () => {
  const clock = new FakeClock();
  const limit = new RateLimit(300_000, clock);
  const flood = (round: string): number =>
    Array.from({ length: 50_000 }, (_, index) => limit.allows(`${round} ${index}`)).filter(Boolean).length;
  limit.allows("a");
  assert.equal(flood("first"), 9_999);
  assert.equal(limit.allows("a"), false);
  await clock.advance(300_000);
  assert.equal(limit.allows("a"), true);
  assert.equal(flood("second"), 9_999);
});

test("a sleep of the system clock ends when its signal aborts, or has aborted before", async () => {
  const stop = new AbortController();
  const timers = (): number => process.getActiveResourcesInfo().filter((resource) => resource === "Timeout").length;
  const before = timers();
  const ended: string[] = [];
  const sleep = systemClock.sleep(3_600_000, stop.signal).then(() => ended.push("aborted meanwhile"));
  await turns(2);
  assert.deepEqual([ended, timers()], [[], before + 1]);
  stop.abort();
  await turns(2);
  void systemClock.sleep(3_600_000, stop.signal).then(() => ended.push("aborted before"));
  await turns(2);
  assert.deepEqual(ended, ["aborted meanwhile", "aborted before"]);
  assert.equal(timers(), before, "a remaining timer keeps the process alive");
  await sleep;
});
