// Targets that keep the agent searching for bad lines, on a clock that does not wait.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Answer } from "../../../src/delivery/http/http-client.ts";
import { targetSettings } from "../../support/delivery.ts";
import { taken } from "../../support/memory-target.ts";
import { SenderBench } from "../../support/sender-bench.ts";

const REJECTED: Answer = { status: 400, body: '{"code":"invalid","message":"unable to parse"}' };
const TOO_LARGE: Answer = { status: 413, body: "" };
const MINUTES = 5;
/** A burst, and then for each request that is counted one that is accepted. */
const MAX_REQUESTS = 2 * (100 + MINUTES * 120);

let turn = 0;
const LIARS: Readonly<Record<string, (lines: readonly string[]) => Answer>> = {
  "rejects every line": () => REJECTED,
  "rejects every request of two lines or more": (lines) => (lines.length > 1 ? REJECTED : taken()),
  "rejects other lines each time": () => (turn++ % 3 > 0 ? REJECTED : taken()),
  "rejects every request as too large": () => TOO_LARGE,
  "rejects every request of two lines or more as too large": (lines) => (lines.length > 1 ? TOO_LARGE : taken()),
  "rejects every second request as too large": () => (turn++ % 2 > 0 ? TOO_LARGE : taken()),
  "rejects a request as too large or for its lines": () => [REJECTED, TOO_LARGE, taken()][turn++ % 3] ?? REJECTED,
};

for (const [what, answer] of Object.entries(LIARS))
  test(`a target that ${what} gets a bounded number of requests a minute`, async () => {
    await using bench = new SenderBench({ flush: { ...targetSettings().flush, intervalMs: 1_000 } });
    bench.target.answer = answer;
    for (let second = 0; second < MINUTES * 60; second += 5) {
      await bench.append(400);
      await bench.clock.advance(5_000);
    }
    assert.ok(bench.requests.length <= MAX_REQUESTS, `${bench.requests.length} requests`);
    // The target works again: what is queued arrives.
    bench.target.answer = taken;
    await bench.clock.advance(10 * 60_000);
    assert.equal(bench.sender.backlog.lines, 0);
    assert.equal(bench.sender.state.state, "Delivering");
  });

test("a target that rejects each request for its size is reported before all its lines are tried", async () => {
  await using bench = new SenderBench({ flush: { ...targetSettings().flush, intervalMs: 1_000 } });
  bench.target.answer = () => TOO_LARGE;
  await bench.append(1_000);
  await bench.clock.advance(60_000);
  assert.equal(bench.sender.state.reason, "TargetRejecting");
  assert.ok(bench.requests.length < 100, `${bench.requests.length} requests`);
});
