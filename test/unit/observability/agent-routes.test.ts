import assert from "node:assert/strict";
import { test } from "node:test";
import { healthAnswer, readyAnswer } from "../../../src/observability/agent-routes.ts";
import { Histogram } from "../../../src/lib/histogram.ts";

function health(progressMs: number | undefined): { readonly status?: number; readonly body: string } {
  const cycles = { cycles: 0, incomplete: 0, skippedTicks: 0, durations: new Histogram([]), patienceMs: 70_000 };
  return healthAnswer({ cycles: { ...cycles, progressMs }, monotonicMs: 100_000 });
}

test("health is 200 while cycles progress and before the first one", () => {
  for (const progressMs of [undefined, 100_000, 30_000]) assert.equal(health(progressMs).status, 200);
});

test("health is 503 when no cycle has progressed for longer than allowed", () => {
  const { status, body } = health(29_999);
  assert.deepEqual([status, body], [503, "no cycle for 1m 10s\n"]);
});

test("the agent is ready from its start until shutdown begins", () => {
  const status = (started: boolean, ending: boolean) => readyAnswer({ started, ending }).status;
  assert.deepEqual([status(false, false), status(true, false), status(true, true)], [503, 200, 503]);
});
