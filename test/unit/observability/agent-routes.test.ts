import assert from "node:assert/strict";
import { test } from "node:test";
import { agentRoutes, healthAnswer, readyAnswer } from "../../../src/observability/agent-routes.ts";
import { LatestSamples } from "../../../src/collection/latest-samples.ts";
import { Histogram } from "../../../src/lib/histogram.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { sample } from "../../support/samples.ts";

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

/** Resolves to the values of a VM that was collected, when the last cycle has progressed at this time. */
async function vmsAt(progressMs: number): Promise<string> {
  const latest = new LatestSamples();
  const rest = { errors: [], tolerated: [], stuck: [], busy: [], slow: [] };
  latest.record({ endpoint: "/sock", outcome: "collected", samples: [sample()], ...rest }, undefined);
  const cycles = { cycles: 1, incomplete: 0, skippedTicks: 0, durations: new Histogram([]), patienceMs: 70_000 };
  const routes = agentRoutes({
    view: () => undefined,
    progress: () => ({ cycles: { ...cycles, progressMs }, monotonicMs: 100_000 }),
    vms: { latest, node: undefined },
    ending: new AbortController().signal,
    clock: new FakeClock(),
  });
  const answer = await routes["/metrics/vms"]?.(new URLSearchParams());
  return String(answer?.body);
}

test("while cycles have stopped there are no values of VMs", async () => {
  assert.match(await vmsAt(100_000), /^kubevirt_vmi_cpu_usage_seconds_total\{name="web"\} 9$/m);
  assert.equal(await vmsAt(29_999), "");
});

test("values of VMs are not served by default", () => {
  const ending = new AbortController().signal;
  const routes = agentRoutes({ view: () => undefined, progress: () => undefined, ending, clock: new FakeClock() });
  assert.equal(routes["/metrics/vms"], undefined);
});
