import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { FAULT_KINDS } from "../support/fault-deck.ts";
import { describeChaos } from "./support/chaos-report.ts";
import { runChaos, type ChaosReport, type TargetReport } from "./support/chaos.ts";

const SEED = 1;
/** Of the answers that no schedule brings about. */
const ANSWERS = { influx1: ["413", "400 partial", "400 whole"], influx2: ["413", "422", "400 whole"] } as const;

const resources = new AsyncDisposableStack();
let report: ChaosReport;

before(async () => {
  report = await runChaos({ seed: SEED, minutes: 1 }, resources);
  console.log(describeChaos(report));
});

after(() => resources.disposeAsync());

test("every kind of fault happened to each target, and the agent was killed every few seconds", () => {
  assert.ok(report.kills >= 6, `${report.kills} kills`);
  assert.ok(report.overlaps > 0);
  for (const name of ["influx1", "influx2"] as const) {
    const { events } = target(name);
    const missing = [...FAULT_KINDS, ...ANSWERS[name]].filter((kind) => !events.has(kind));
    assert.deepEqual(missing, [], name);
  }
});

test("what was written is all in the spool still, because one target never took anything", () => {
  const { lines, missingFrames, audiences } = report.written;
  assert.ok(lines.length >= 5_000, `${lines.length} lines`);
  assert.equal(missingFrames, 0);
  for (const audience of audiences.keys()) assert.match(audience, /\bdead\b/);
});

for (const name of ["influx1", "influx2"]) {
  test(`${name} has every line that was written exactly once, with its values, and no other`, () => {
    const { stored, rejected, lost, different, unwritten } = target(name);
    assert.deepEqual(first(lost), []);
    assert.deepEqual(first(different), []);
    assert.deepEqual(first(unwritten), []);
    assert.equal(stored + rejected, report.written.lines.length);
  });

  test(`${name} was not asked again before its Retry-After allowed it`, () => {
    assert.equal(target(name).events.get("early"), undefined);
  });

  test(`${name} refused bad lines only, which are all on record`, () => {
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

/** Enough to see what is wrong. */
function first(items: readonly string[]): readonly string[] {
  return items.slice(0, 3);
}
