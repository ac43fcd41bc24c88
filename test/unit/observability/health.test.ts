import assert from "node:assert/strict";
import { test } from "node:test";
import { healthAnswer, readyAnswer } from "../../../src/observability/health.ts";
import { Histogram } from "../../../src/lib/histogram.ts";

function health(progressMs: number | undefined): { readonly status?: number; readonly body: string } {
  const cycles = { cycles: 0, incomplete: 0, skippedTicks: 0, durations: new Histogram([]), patienceMs: 70_000 };
  return healthAnswer({ cycles: { ...cycles, progressMs }, monotonicMs: 100_000 });
}

test("it is well as long as cycles go on, and before they begin", () => {
  for (const progressMs of [undefined, 100_000, 30_000]) assert.equal(health(progressMs).status, 200);
});

test("it is not when they have stood still for longer than they may", () => {
  const { status, body } = health(29_999);
  assert.deepEqual([status, body], [503, "no cycle for 1m 10s\n"]);
});

test("it is ready from its start until it begins to end", () => {
  const status = (started: boolean, ending: boolean) => readyAnswer({ started, ending }).status;
  assert.deepEqual([status(false, false), status(true, false), status(true, true)], [503, 200, 503]);
});
