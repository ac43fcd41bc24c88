import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { FAULT_KINDS } from "../support/fault-deck.ts";
import { describeChaos } from "./support/chaos-report.ts";
import { runChaos, type ChaosReport, type TargetReport } from "./support/chaos.ts";

const SEED = 1;
/** Answers that the fault deck does not schedule. */
const ANSWERS = { influx1: ["413", "400 partial", "400 whole"], influx2: ["413", "422", "400 whole"] } as const;

const resources = new AsyncDisposableStack();
let report: ChaosReport;

before(async () => {
  report = await runChaos({ seed: SEED, minutes: 1 }, resources);
  console.log(describeChaos(report));
});

after(() => resources.disposeAsync());

test("every fault happened to each target, and the agent was killed every few seconds", () => {
  assert.ok(report.kills >= 6, `${report.kills} kills`);
  assert.ok(report.overlaps > 0);
  for (const name of ["influx1", "influx2"] as const) {
    const { events } = target(name);
    const missing = [...FAULT_KINDS, ...ANSWERS[name]].filter((kind) => !events.has(kind));
    assert.deepEqual(missing, [], name);
  }
});

test("the spool still has every line, because one target is always down", () => {
  const { lines, missingFrames, audiences } = report.written;
  assert.ok(lines.length >= 5_000, `${lines.length} lines`);
  assert.equal(missingFrames, 0);
  for (const audience of audiences.keys()) assert.match(audience, /\bdead\b/);
});

for (const name of ["influx1", "influx2"]) {
  test(`${name} has every written line exactly once, and no other`, () => {
    const { stored, rejected, lost, different, unwritten } = target(name);
    assert.deepEqual(first(lost), []);
    assert.deepEqual(first(different), []);
    assert.deepEqual(first(unwritten), []);
    assert.equal(stored + rejected, report.written.lines.length);
  });

  test(`${name} gets no request before its Retry-After`, () => {
    assert.equal(target(name).events.get("early"), undefined);
  });

  test(`${name} rejected only bad lines, which are all on record`, () => {
    const { rejected, badLines, givenUp } = target(name);
    assert.deepEqual(first(givenUp), []);
    assert.equal(rejected, badLines);
    assert.ok(rejected > 0);
  });
}

function target(name: string): TargetReport {
  const found = report.targets.find((target) => target.name === name);
  assert.ok(found !== undefined);
  return found;
}

/** Returns the first few items, as examples. */
function first(items: readonly string[]): readonly string[] {
  return items.slice(0, 3);
}
