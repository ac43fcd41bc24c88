import assert from "node:assert/strict";
import { test } from "node:test";
import { SenderStats } from "../../../src/delivery/sender-stats.ts";
import { ObserverLog } from "../../support/delivery.ts";
import { FakeClock } from "../../support/fake-clock.ts";

function setUp(): { clock: FakeClock; log: ObserverLog; record: SenderStats } {
  const clock = new FakeClock();
  const log = new ObserverLog();
  return { clock, log, record: new SenderStats(() => "main", log, clock) };
}

test("a new target is idle", () => {
  const { clock, log, record } = setUp();
  assert.deepEqual(record.state, {
    state: "Idle",
    sinceMs: clock.now(),
    reason: undefined,
    detail: undefined,
    deliveredLines: 0,
    rejectedLines: 0,
    requests: 0,
    sentBytes: 0,
    consecutiveFailures: 0,
    lastSuccessMs: undefined,
  });
  assert.deepEqual(log.events, []);
});

test("requests, bytes and lines add up", async () => {
  const { clock, log, record } = setUp();
  record.sent(100);
  record.sent(20);
  record.delivered(7, 5);
  await clock.advance(1_000);
  record.delivered(3, 5);
  record.rejected(2, "a line");
  const { requests, sentBytes, deliveredLines, rejectedLines, lastSuccessMs } = record.state;
  assert.deepEqual([requests, sentBytes, deliveredLines, rejectedLines], [2, 120, 10, 2]);
  assert.equal(lastSuccessMs, clock.now());
  assert.deepEqual(log.events, ["main delivered 7", "main delivered 3", "main rejected 2: a line"]);
});

test("the first answer changes Idle to Delivering without a recovery", async () => {
  const { clock, log, record } = setUp();
  await clock.advance(1_000);
  record.answered();
  const since = clock.now();
  await clock.advance(1_000);
  record.answered();
  assert.deepEqual([record.state.state, record.state.sinceMs], ["Delivering", since]);
  assert.deepEqual(log.events, []);
});

test("a failure is reported again when its text changes, but not for another number in it", async () => {
  const { clock, log, record } = setUp();
  record.answered();
  await clock.advance(1_000);
  const since = clock.now();
  record.failed("TargetUnreachable", "HTTP 503 request 0f3a-11");
  await clock.advance(1_000);
  record.failed("TargetUnreachable", "HTTP 503 request 77ab-90");
  record.failed("TargetUnreachable", "late");
  assert.deepEqual([record.state.reason, record.state.detail], ["TargetUnreachable", "late"]);
  record.failed("TargetUnauthorized", "401");
  const { state, sinceMs, consecutiveFailures } = record.state;
  assert.deepEqual([state, sinceMs, consecutiveFailures], ["Failing", since, 4]);
  assert.deepEqual(log.events, [
    "main failing TargetUnreachable: HTTP 503 request 0f3a-11",
    "main failing TargetUnreachable: late",
    "main failing TargetUnauthorized: 401",
  ]);
});

test("an answer ends a failure, is reported, and clears the reason", async () => {
  const { clock, log, record } = setUp();
  record.failed("TargetUnreachable", "refused");
  await clock.advance(1_000);
  record.answered();
  assert.deepEqual(record.state, {
    ...record.state,
    state: "Delivering",
    sinceMs: clock.now(),
    reason: undefined,
    detail: undefined,
    consecutiveFailures: 0,
  });
  record.failed("TargetUnreachable", "refused again");
  assert.deepEqual(log.events, [
    "main failing TargetUnreachable: refused",
    "main recovered",
    "main failing TargetUnreachable: refused again",
  ]);
});

test("a renamed target is reported under its new name", () => {
  const log = new ObserverLog();
  let name = "old";
  const record = new SenderStats(() => name, log, new FakeClock());
  name = "new";
  record.delivered(1, 0);
  assert.deepEqual(log.events, ["new delivered 1"]);
});
