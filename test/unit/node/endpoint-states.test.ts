import assert from "node:assert/strict";
import { test } from "node:test";
import { REJECTION_REASONS } from "../../../src/budget.ts";
import type { SourceCycle } from "../../../src/collection/source.ts";
import { BudgetError, TelemetryError } from "../../../src/errors.ts";
import { LibvirtError } from "../../../src/libvirt/errors.ts";
import { EndpointStates } from "../../../src/node/endpoint-states.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { sample } from "../../support/samples.ts";

function cycle(change: Partial<SourceCycle> = {}): SourceCycle {
  const silent = { stuck: [], busy: [], slow: [] };
  return { endpoint: "/a", outcome: "collected", samples: [], ...silent, errors: [], tolerated: [], ...change };
}

const REFUSED = new LibvirtError("E_LIBVIRT_UNREACHABLE", "no listener");

function fixture() {
  const clock = new FakeClock();
  const states = new EndpointStates(clock);
  return { clock, states, state: () => states.views.map(({ state }) => state)[0] };
}

test("the last cycle that was not skipped decides the state", () => {
  const { states, state } = fixture();
  states.recordCycle(cycle());
  assert.equal(state(), "up");
  states.recordCycle(cycle({ stuck: ["vm"] }));
  assert.equal(state(), "stuck");
  states.recordCycle(cycle({ outcome: "failed", errors: [REFUSED] }));
  assert.equal(state(), "failed");
  states.recordCycle(cycle({ outcome: "skipped" }));
  assert.equal(state(), "failed");
  states.recordCycle(cycle({ outcome: "absent", errors: [REFUSED] }));
  assert.equal(state(), "absent");
  states.recordCycle(cycle({ outcome: "starting", tolerated: [REFUSED] }));
  assert.equal(state(), "absent");
  states.recordCycle(cycle({ busy: ["vm"], slow: ["other"] }));
  assert.equal(state(), "up");
  assert.deepEqual(states.views[0]?.busy, ["vm"]);
});

test("sinceMs is when the daemon began to answer, or stopped to", async () => {
  const { clock, states } = fixture();
  const since = (): number | undefined => states.views[0]?.sinceMs;
  const begun = clock.monotonic();
  states.recordCycle(cycle());
  await clock.advance(5_000);
  states.recordCycle(cycle({ stuck: ["vm"] }));
  assert.equal(since(), begun);
  states.recordCycle(cycle({ outcome: "failed", errors: [REFUSED] }));
  assert.equal(since(), begun + 5_000);
});

test("the samples of the last two cycles are kept", () => {
  const { states } = fixture();
  const [first, second] = [[sample()], [sample(), sample()]];
  states.recordCycle(cycle({ samples: first }));
  states.recordCycle(cycle({ samples: second }));
  assert.deepEqual([states.views[0]?.before, states.views[0]?.samples, states.domains], [first, second, 2]);
});

test("errors are counted by code, but not those of an absent launcher", () => {
  const { states } = fixture();
  states.recordCycle(cycle({ outcome: "absent", errors: [REFUSED] }));
  states.recordCycle(cycle({ outcome: "starting", tolerated: [REFUSED] }));
  states.recordCycle(cycle({ outcome: "failed", errors: [REFUSED] }));
  const bad = new TelemetryError("E_DOMAIN_XML", "is no XML");
  states.recordCycle(cycle({ errors: [bad, bad] }));
  assert.deepEqual(Object.fromEntries(states.errors), { E_LIBVIRT_UNREACHABLE: 1, E_DOMAIN_XML: 2 });
});

test("rejections are counted by reason, and every reason is present from the start", () => {
  const { states } = fixture();
  assert.deepEqual([...states.rejections.keys()], REJECTION_REASONS);
  states.recordCycle(cycle({ outcome: "failed", errors: [new BudgetError("Domains", "more than 1 running domain")] }));
  states.recordCycle(cycle({ errors: [new BudgetError("Lines", "more"), new BudgetError("Lines", "more")] }));
  states.recordCycle(cycle({ outcome: "skipped" }));
  const counted = [...states.rejections].filter(([, count]) => count > 0);
  assert.deepEqual(counted, [
    ["Domains", 1],
    ["Lines", 2],
  ]);
  assert.equal(states.errors.get("E_LAUNCHER_BUDGET"), 3);
});

test("the error of a launcher that misbehaves comes before others", () => {
  const { states } = fixture();
  states.recordCycle(cycle({ errors: [REFUSED, new BudgetError("Runs", "more than 6 runs"), REFUSED] }));
  assert.equal(states.views[0]?.error?.rejection, "Runs");
});

test("a failure to find the endpoints is a fault until they are found", () => {
  const { states } = fixture();
  const fault = new TelemetryError("E_PODS_DIR", "cannot be read");
  states.recordCycle(cycle());
  states.recordFault(fault);
  assert.deepEqual([states.fault, states.views.length, states.errors.get("E_PODS_DIR")], [fault, 1, 1]);
  states.retain(new Set());
  assert.deepEqual([states.fault, states.views.length], [undefined, 0]);
});
