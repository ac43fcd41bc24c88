import assert from "node:assert/strict";
import fc from "fast-check";
import { afterEach, beforeEach, test } from "node:test";
import { nodeReport, type NodeObservation } from "../../../src/status/node-report.ts";
import type { NodeTelemetryStatus } from "../../../src/status/node-telemetry.ts";
import { ReportWriter, type WriteOutcome } from "../../../src/status/report-writer.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { observation } from "../../support/observation.ts";

let clock: FakeClock;
let seen: NodeObservation;
let written: NodeTelemetryStatus[];
let outcome: WriteOutcome;
let stop: AbortController;
let running: Promise<void>;

function start(before?: NodeTelemetryStatus): void {
  const writer = new ReportWriter({
    observe: () => seen,
    write: (status) => {
      written.push(status);
      return Promise.resolve(outcome);
    },
    before,
    clock,
    random: () => 0.5,
  });
  running = writer.run(stop.signal);
}

beforeEach(() => {
  clock = new FakeClock();
  seen = observation();
  written = [];
  outcome = { kind: "written" };
  stop = new AbortController();
});

afterEach(async () => {
  stop.abort();
  await running;
});

const REASONS = ["TargetUnreachable", "TargetUnauthorized", "TargetNotFound"] as const;

const failing: NodeObservation["targets"] = [
  { name: "main", state: "Failing", sinceMs: 0, reason: "TargetUnreachable", detail: "connect ECONNREFUSED" },
];

test("the first report is spread over a minute", async () => {
  start();
  await clock.advance(29_000);
  assert.equal(written.length, 0);
  await clock.advance(2_000);
  assert.equal(written.length, 1);
});

test("when nothing happens there is one report an hour", async () => {
  start();
  await clock.advance(31_000);
  await clock.advance(3 * 3_600_000);
  assert.equal(written.length, 4);
});

test("a transition is written once it has lasted half a minute", async () => {
  start();
  await clock.advance(31_000);
  seen = observation({ targets: failing });
  await clock.advance(29_000);
  assert.equal(written.length, 1);
  await clock.advance(3_000);
  assert.equal(written.length, 2);
  assert.equal(written[1]?.targetSummary, "0/1");
});

test("what flaps back within half a minute is not written", async () => {
  start();
  await clock.advance(31_000);
  for (let flap = 0; flap < 50; flap++) {
    seen = observation({ targets: failing });
    await clock.advance(10_000);
    seen = observation();
    await clock.advance(10_000);
  }
  assert.equal(written.length, 1);
});

test("a daemon that flaps while the target is away does not keep the report wrong for minutes", async () => {
  start();
  await clock.advance(31_000);
  const { libvirt } = seen;
  const down = [{ where: "/run/libvirt-sock", denied: false, message: "no answer" }];
  for (let flap = 0; flap < 3; flap++) {
    seen = observation({ targets: failing, libvirt: { ...libvirt, failures: down } });
    await clock.advance(13_000);
    seen = observation({ targets: failing });
    await clock.advance(12_000);
  }
  assert.equal(written[1]?.targetSummary, "0/1");
});

test("no difference stays unwritten for more than 60 s, and not every flap is written", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          state: fc.integer({ min: 0, max: 3 }),
          lastsMs: fc.oneof(fc.integer({ min: 1, max: 29_000 }), fc.integer({ min: 1, max: 90_000 })),
        }),
        {
          minLength: 20,
          maxLength: 60,
        },
      ),
      async (steps) => {
        clock = new FakeClock();
        seen = observation();
        written = [];
        stop = new AbortController();
        start();
        await clock.advance(61_000);
        const reasonOf = (report: NodeTelemetryStatus | undefined): string | undefined => report?.targets[0]?.reason;
        let differsForMs = 0;
        let totalMs = 61_000;
        for (const { state, lastsMs } of steps) {
          const reason = REASONS[state];
          seen = observation(reason === undefined ? {} : { targets: failing.map((target) => ({ ...target, reason })) });
          const truth = reasonOf(nodeReport(seen, undefined, 0));
          for (let leftMs = lastsMs; leftMs > 0; leftMs -= 500) {
            await clock.advance(Math.min(500, leftMs));
            const differs = reasonOf(written.at(-1)) !== truth;
            differsForMs = differs ? differsForMs + Math.min(500, leftMs) : 0;
            assert.ok(differsForMs <= 60_000, `unwritten for ${differsForMs} ms`);
          }
          totalMs += lastsMs;
        }
        assert.ok(written.length <= 2 + totalMs / 30_000, `${written.length} writes in ${totalMs} ms`);
        stop.abort();
        await running;
      },
    ),
    { numRuns: 30 },
  );
});

test("a change of configuration is spread, so that thousands of nodes do not write at once", async () => {
  start();
  await clock.advance(31_000);
  seen = observation({ config: { name: "default", uid: "u1", observedGeneration: 4 } });
  await clock.advance(28_000);
  assert.equal(written.length, 1);
  await clock.advance(4_000);
  assert.equal(written[1]?.config?.observedGeneration, 4);
});

test("other counts alone wait for minutes", async () => {
  start();
  await clock.advance(31_000);
  for (let minute = 0; minute < 9; minute++) {
    seen = observation({ libvirt: { ...seen.libvirt, domains: 3 + minute } });
    await clock.advance(60_000);
  }
  assert.equal(written.length, 2);
});

test("a failed write is tried again with what is true then, later each time, and not before the server says", async () => {
  outcome = { kind: "failed", afterMs: 20_000 };
  start();
  await clock.advance(31_000);
  assert.equal(written.length, 1);
  await clock.advance(18_000);
  assert.equal(written.length, 1);
  await clock.advance(600_000);
  const tries = written.length as number;
  assert.ok(tries > 3 && tries < 30, String(tries));
  outcome = { kind: "written" };
  seen = observation({ libvirt: { ...seen.libvirt, domains: 7 } });
  await clock.advance(300_000);
  assert.equal(written.at(-1)?.libvirt.domains, 7);
});

test("a new agent of the node keeps the times of the conditions it finds", async () => {
  start();
  await clock.advance(31_000);
  const [before] = written;
  stop.abort();
  await running;
  stop = new AbortController();
  await clock.advance(1_000_000);
  seen = observation({ agent: { ...seen.agent, podUID: "next-pod" } });
  start(before);
  await clock.advance(31_000);
  assert.deepEqual(written[1]?.conditions, before?.conditions);
  assert.equal(written[1]?.agent.podUID, "next-pod");
});
