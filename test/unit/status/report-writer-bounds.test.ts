import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { NodeObservation } from "../../../src/status/node-report.ts";
import { ReportWriter } from "../../../src/status/report-writer.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { observation } from "../../support/observation.ts";

const { libvirt } = observation();
/** States that differ from each other by a transition; the last one has another configuration. */
const STATES: readonly NodeObservation[] = [
  observation(),
  observation({ libvirt: { ...libvirt, failures: [{ where: "sock", denied: false, message: "no answer" }] } }),
  observation({ libvirt: { ...libvirt, failures: [{ where: "sock", denied: true, message: "denied" }] } }),
  observation({ bufferFault: { reason: "BufferFull", message: "lines were dropped" } }),
  observation({ config: { name: "default", uid: "u1", observedGeneration: 4 } }),
];

interface Phase {
  readonly state: number;
  readonly ms: number;
}

interface Attempt {
  readonly atMs: number;
  readonly state: number;
  readonly failed: boolean;
}

/** Resolves to the attempted writes during the phases. `fails` tells for each attempt whether it fails. */
async function attempts(phases: readonly Phase[], random: () => number, fails: () => boolean): Promise<Attempt[]> {
  const clock = new FakeClock();
  const startMs = clock.monotonic();
  const found: Attempt[] = [];
  const stop = new AbortController();
  let state = phases[0]?.state ?? 0;
  const running = new ReportWriter({
    observe: () => STATES[state] ?? observation(),
    write: () => {
      const failed = fails();
      found.push({ atMs: clock.monotonic() - startMs, state, failed });
      return Promise.resolve({ kind: failed ? "failed" : "written" });
    },
    clock,
    random,
  }).run(stop.signal);
  for (const phase of phases) {
    ({ state } = phase);
    await clock.advance(phase.ms);
  }
  stop.abort();
  await running;
  return found;
}

/**
 * Returns the spans of time in which the written report differed from the state. A write in the same millisecond as a change was
 * before it.
 */
function differences(phases: readonly Phase[], attempted: readonly Attempt[]): { fromMs: number; toMs: number }[] {
  let endMs = 0;
  const changes = phases.map(({ state, ms }) => ({ atMs: (endMs += ms) - ms, actual: state }));
  const writes = attempted.filter(({ failed }) => !failed).map(({ atMs, state }) => ({ atMs, reported: state }));
  const events = [...writes, ...changes].sort((a, b) => a.atMs - b.atMs);
  const spans: { fromMs: number; toMs: number }[] = [];
  let now: { actual?: number; reported?: number } = { actual: phases[0]?.state ?? 0 };
  let open: number | undefined = 0;
  for (const { atMs, ...event } of events) {
    now = { ...now, ...event };
    if (now.actual !== now.reported) open ??= atMs;
    else if (open !== undefined) {
      spans.push({ fromMs: open, toMs: atMs });
      open = undefined;
    }
  }
  return open === undefined ? spans : [...spans, { fromMs: open, toMs: endMs }];
}

const phasesOf = (maxMs: number): fc.Arbitrary<Phase[]> =>
  fc.array(fc.record({ state: fc.nat(STATES.length - 1), ms: fc.integer({ min: 1, max: maxMs }) }), {
    minLength: 5,
    maxLength: 40,
  });
const randomValues = fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }));
const next =
  (values: Iterator<number>): (() => number) =>
  () =>
    Number(values.next().value);

test("a difference is written within a minute, for every sequence of states", async () => {
  await fc.assert(
    fc.asyncProperty(phasesOf(40_000), randomValues, async (phases, values) => {
      const attempted = await attempts(phases, next(values), () => false);
      for (const { fromMs, toMs } of differences(phases, attempted))
        assert.ok(toMs - fromMs <= 60_000, `${fromMs} to ${toMs}`);
    }),
    { numRuns: 60 },
  );
});

test("states shorter than the hold-down, in one configuration, cause about one write a minute", async () => {
  // Each phase has another state than the one before, and is long enough for a poll.
  const steps = fc.array(
    fc.record({ step: fc.integer({ min: 1, max: 3 }), ms: fc.integer({ min: 5_100, max: 29_000 }) }),
    {
      minLength: 5,
      maxLength: 40,
    },
  );
  const phases = steps.map((all) => {
    let state = 0;
    return all.map(({ step, ms }) => ({ state: (state = (state + step) % 4), ms }));
  });
  await fc.assert(
    fc.asyncProperty(phases, randomValues, async (all, values) => {
      const [, ...later] = await attempts(all, next(values), () => false);
      const times = later.map(({ atMs }) => atMs);
      for (const [index, atMs] of times.entries())
        if (index > 0) assert.ok(atMs - (times[index - 1] ?? 0) >= 54_000, times.join(" "));
    }),
    { numRuns: 60 },
  );
});

test("failed writes delay a difference by their backoff at most", async () => {
  await fc.assert(
    fc.asyncProperty(phasesOf(40_000), randomValues, randomValues, async (phases, values, faults) => {
      const fault = next(faults);
      const attempted = await attempts(phases, next(values), () => fault() < 0.5);
      for (const { fromMs, toMs } of differences(phases, attempted)) {
        const before = attempted.filter(({ atMs }) => atMs < toMs);
        const failures = before.length - 1 - before.findLastIndex(({ failed }) => !failed);
        const backoffMs = failures === 0 ? 0 : Math.min(300_000, 2_000 * 2 ** (failures - 1));
        const allowedMs = Math.max(fromMs + 60_000, (before.at(-1)?.atMs ?? 0) + backoffMs + 1_000);
        assert.ok(toMs <= allowedMs, `${fromMs} to ${toMs}, ${failures} failures`);
      }
    }),
    { numRuns: 60 },
  );
});
