import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { REJECTION_REASONS } from "../../../src/budget.ts";
import { LoadHistory } from "../../../src/collection/load-history.ts";
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

test("a view shows the cycles that it was made for, also after later ones", () => {
  const { states } = fixture();
  const cycles = [1n, 2n, 3n, 4n, 5n].map((time) => [sample({ cpu: { ...sample().cpu, time } })]);
  const record = (samples: SourceCycle["samples"] = []): void => {
    states.recordCycle(cycle({ samples }));
  };
  record(cycles[0]);
  record(cycles[1]);
  const [view] = states.views;
  record(cycles[2]);
  record(cycles[3]);
  record(cycles[4]);
  assert.deepEqual([view?.before, view?.samples], [cycles[0], cycles[1]]);
  assert.deepEqual([states.views[0]?.before, states.views[0]?.samples], [cycles[3], cycles[4]]);
});

test("the last two cycles with devices are shown while cycles without devices follow", () => {
  const { states } = fixture();
  const withDevices = [1n, 2n].map((time) => [sample({ cpu: { ...sample().cpu, time } })]);
  const without = [3n, 4n, 5n].map((time) => [
    sample({ cpu: { ...sample().cpu, time }, nics: undefined, disks: undefined }),
  ]);
  for (const samples of [...withDevices, ...without]) states.recordCycle(cycle({ samples }));
  const [view] = states.views;
  assert.deepEqual([view?.before, view?.samples], [without[1], without[2]]);
  assert.deepEqual(view?.devices, { before: withDevices[0], samples: withDevices[1] });
});

test("the objects of a cycle are not held until later ones, which would promote them to the old generation", async () => {
  setFlagsFromString("--expose-gc");
  const { states } = fixture();
  const history = new LoadHistory();
  const refs: WeakRef<object>[] = [];
  const record = (): void => {
    const samples = [sample()];
    for (const { cpu, memory, nics = [], disks = [] } of samples)
      refs.push(...[cpu, memory, ...nics, ...disks].map((object) => new WeakRef(object)));
    states.recordCycle(cycle({ samples }));
    history.record(cycle({ samples }));
  };
  record();
  record();
  await new Promise((resolve) => setImmediate(resolve));
  (runInNewContext("gc") as () => void)();
  assert.deepEqual(
    refs.filter((ref) => ref.deref() !== undefined),
    [],
  );
  assert.equal(states.views[0]?.samples.length, 1);
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
