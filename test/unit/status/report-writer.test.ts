import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import type { NodeObservation } from "../../../src/status/node-report.ts";
import type { NodeTelemetryStatus } from "../../../src/status/node-telemetry.ts";
import { ReportWriter, type WriteOutcome } from "../../../src/status/report-writer.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { observation } from "../../support/observation.ts";

let clock: FakeClock;
let current: NodeObservation;
let observed: number;
let written: NodeTelemetryStatus[];
let outcome: WriteOutcome;
let stop: AbortController;
let running: Promise<void>;

function start(before?: NodeTelemetryStatus): void {
  const writer = new ReportWriter({
    observe: () => {
      observed++;
      return current;
    },
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
  current = observation();
  observed = 0;
  written = [];
  outcome = { kind: "written" };
  stop = new AbortController();
});

afterEach(async () => {
  stop.abort();
  await running;
});

const failing: NodeObservation["targets"] = [
  { name: "main", state: "Failing", sinceMs: 0, reason: "TargetUnreachable", detail: "connect ECONNREFUSED" },
];

const hanging: NodeObservation["libvirt"]["failures"] = [{ where: "sock", denied: false, message: "no answer" }];

/** The states of a daemon that stops for 13 s and answers for 12 s, in turn. */
async function flap(times: number): Promise<void> {
  for (let flap = 0; flap < times; flap++) {
    current = observation({ targets: failing, libvirt: { ...current.libvirt, failures: hanging } });
    await clock.advance(13_000);
    current = observation({ targets: failing });
    await clock.advance(12_000);
  }
}

test("the first report is written at a random time of the first minute", async () => {
  start();
  await clock.advance(26_000);
  assert.equal(written.length, 0);
  await clock.advance(2_000);
  assert.equal(written.length, 1);
});

test("an unchanged report is written once an hour", async () => {
  start();
  await clock.advance(31_000);
  await clock.advance(3 * 3_600_000);
  assert.equal(written.length, 4);
});

test("a transition is written after it has lasted half a minute", async () => {
  start();
  await clock.advance(31_000);
  current = observation({ targets: failing });
  await clock.advance(29_000);
  assert.equal(written.length, 1);
  await clock.advance(6_000);
  assert.equal(written.length, 2);
  assert.equal(written[1]?.targetSummary, "0/1");
});

test("an agent whose state does not change is observed every five seconds, not more often", async () => {
  start();
  await clock.advance(60_000);
  const before = observed;
  await clock.advance(600_000);
  assert.equal(observed - before, 120);
});

test("a state that is reverted within half a minute is not written", async () => {
  start();
  await clock.advance(31_000);
  for (let flap = 0; flap < 50; flap++) {
    current = observation({ targets: failing });
    await clock.advance(10_000);
    current = observation();
    await clock.advance(10_000);
  }
  assert.equal(written.length, 1);
});

test("a change of configuration is written at a random time of the next minute", async () => {
  start();
  await clock.advance(31_000);
  current = observation({ config: { name: "default", uid: "u1", observedGeneration: 4 } });
  await clock.advance(28_000);
  assert.equal(written.length, 1);
  await clock.advance(4_000);
  assert.equal(written[1]?.config?.observedGeneration, 4);
});

test("counts alone are written after five minutes", async () => {
  start();
  await clock.advance(31_000);
  for (let minute = 0; minute < 9; minute++) {
    current = observation({ libvirt: { ...current.libvirt, domains: 3 + minute } });
    await clock.advance(60_000);
  }
  assert.equal(written.length, 2);
});

test("a failed write is retried with the current report, with backoff and Retry-After", async () => {
  outcome = { kind: "failed", afterMs: 20_000 };
  start();
  await clock.advance(31_000);
  assert.equal(written.length, 1);
  await clock.advance(15_000);
  assert.equal(written.length, 1);
  await clock.advance(600_000);
  const tries = written.length as number;
  assert.ok(tries > 3 && tries < 30, String(tries));
  outcome = { kind: "written" };
  current = observation({ libvirt: { ...current.libvirt, domains: 7 } });
  await clock.advance(300_000);
  assert.equal(written.at(-1)?.libvirt.domains, 7);
});

test("a new agent keeps the times of the existing conditions", async () => {
  start();
  await clock.advance(31_000);
  const [before] = written;
  stop.abort();
  await running;
  stop = new AbortController();
  await clock.advance(1_000_000);
  current = observation({ agent: { ...current.agent, podUID: "next-pod" } });
  start(before);
  await clock.advance(31_000);
  assert.deepEqual(written[1]?.conditions, before?.conditions);
  assert.equal(written[1]?.agent.podUID, "next-pod");
});

test("a state that flaps faster than the hold-down is written about once a minute", async () => {
  start();
  await clock.advance(31_000);
  await flap(3);
  assert.equal(written.length, 2);
  assert.equal(written[1]?.targetSummary, "0/1");
  await flap(60);
  // In 25 minutes. A state that returns to the written one starts the minute again.
  assert.ok(written.length <= 2 + 25, String(written.length));
});

test("a difference that disappears starts a new minute when it returns", async () => {
  start();
  await clock.advance(31_000);
  current = observation({ targets: failing });
  await clock.advance(25_000);
  current = observation({ libvirt: { ...current.libvirt, failures: hanging } });
  await clock.advance(25_000);
  current = observation();
  await clock.advance(6_000);
  current = observation({ targets: failing });
  await clock.advance(25_000);
  assert.equal(written.length, 1);
});

test("a configuration that changes while conditions flap is written once within a minute", async () => {
  start();
  await clock.advance(31_000);
  const config = { name: "default", uid: "u1", observedGeneration: 4 };
  for (let flap = 0; flap < 5; flap++) {
    current = observation({ config, targets: failing });
    await clock.advance(3_000);
    current = observation({ config });
    await clock.advance(3_000);
  }
  assert.equal(written.length, 1);
  await clock.advance(3_000);
  assert.equal(written.length, 2);
  assert.equal(written[1]?.config?.observedGeneration, 4);
});

test("after a failed write an unchanged report is written again", async () => {
  start();
  await clock.advance(31_000);
  outcome = { kind: "failed" };
  current = observation({ targets: failing });
  await clock.advance(34_000);
  assert.equal(written.length, 2);
  outcome = { kind: "written" };
  current = observation();
  await clock.advance(3_000);
  assert.deepEqual(
    written.map(({ targetSummary }) => targetSummary),
    ["1/1", "0/1", "1/1"],
  );
});
