import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunFigures } from "../../../benchmarks/hostile/measure.ts";
import { brokenPromises } from "../../../benchmarks/hostile/promises.ts";
import { brokenNow, hostileReport, type MeasuredRun, type Version } from "../../../benchmarks/hostile/report.ts";
import { isUnprintable } from "../../../benchmarks/hostile/unprintable.ts";

const QUIET: RunFigures = {
  samples: { due: 100, taken: 100, worstGapMs: 2_010 },
  hostile: { lines: 0, series: 0, forged: 0 },
  death: undefined,
  peakMiB: 80,
  healthMs: 20,
  lag: "0.01",
  cpuMsPerS: 20,
  logLines: 0,
  unprintable: 0,
  seconds: 10,
  connections: 1,
  inCgroup: true,
};
const ATTACK = { name: "attack", row: "F0", what: "does harm", behave: () => ({}) };
const ABOUT = { date: "2026-01-01", machine: { machine: "2 CPUs" }, load: [0.1, 0.2] } as const;

function broken(change: Partial<RunFigures>, attackers = 1): readonly string[] {
  return brokenPromises({ ...QUIET, ...change }, QUIET, { attack: ATTACK, attackers });
}

test("a run within all limits breaks no promise", () => {
  assert.deepEqual(broken({ peakMiB: 96, healthMs: 1_000, cpuMsPerS: 40, logLines: 60 }), []);
});

test("each promise that is broken is a sentence", () => {
  const cases: readonly (readonly [Partial<RunFigures>, RegExp])[] = [
    [{ samples: { due: 100, taken: 98, worstGapMs: 4_000 } }, /^2 of 100 samples/],
    [{ hostile: { lines: 1, series: 1, forged: 1 } }, /^1 lines have the name/],
    [{ peakMiB: 97 }, /memory .* 17 MiB, more than 16/],
    [{ healthMs: Number.POSITIVE_INFINITY }, /healthz/],
    [{ cpuMsPerS: 41 }, /CPU time .* 2.* more than 2/],
    [{ logLines: 61 }, /61 lines in a minute/],
    [{ unprintable: 1 }, /control characters/],
    [{ connections: 0 }, /shows nothing/],
    [{ hostile: { lines: 0, series: 4_097, forged: 0 } }, /4097 series/],
    [{ hostile: { lines: 12_289, series: 1, forged: 0 } }, /12289 lines, more than 12288/],
    [{ death: { afterS: 8.2, how: "out of memory" }, healthMs: undefined }, /ended after 8 s \(out of memory\)/],
  ];
  for (const [change, sentence] of cases) {
    const sentences = broken(change);
    assert.equal(sentences.length, 1, String(sentence));
    assert.match(sentences[0] ?? "", sentence);
  }
});

test("the budget of lines and series is for each attacker", () => {
  assert.deepEqual(broken({ hostile: { lines: 61_440, series: 20_480, forged: 0 } }, 5), []);
});

test("a value that was not measured is a dash in the table and breaks no promise", () => {
  const now: Version = { name: "now", commit: "abc" };
  const figures = { ...QUIET, peakMiB: undefined, healthMs: undefined, lag: undefined, cpuMsPerS: undefined };
  const runs: MeasuredRun[] = [{ attack: ATTACK, attackers: 1, version: now, figures }];
  const measured = { quiet: new Map([[now, QUIET]]), runs, seconds: 10 };
  assert.deepEqual(brokenNow(measured), []);
  assert.match(
    hostileReport(measured, ABOUT),
    /^\| attack \| 1 \| now \| 100 of 100 \| 2\.0 s \| - \| - \| - \| - \| 0 \/ 0 \| 0 \|$/m,
  );
});

test("an agent that ends is dead in the table, and only the present version fails the command", () => {
  const [before, now]: Version[] = [
    { name: "before", commit: "abc" },
    { name: "now", commit: "def" },
  ];
  assert.ok(before !== undefined && now !== undefined);
  const dead = { ...QUIET, death: { afterS: 8, how: "out of memory" }, samples: { ...QUIET.samples, taken: 40 } };
  const run = { attack: ATTACK, attackers: 1, figures: dead };
  const quiet = new Map([before, now].map((version) => [version, QUIET]));
  const of = (version: Version) => ({ quiet, runs: [{ ...run, version }], seconds: 10 });
  assert.deepEqual(brokenNow(of(before)), []);
  assert.equal(brokenNow(of(now)).length, 2);
  assert.match(hostileReport(of(before), ABOUT), /\*\*40 of 100, dead after 8 s \(out of memory\)\*\*/);
});

test("control characters are found in the texts of a JSON document", () => {
  const escaped = JSON.stringify({ msg: ["a\u001b[31m"] });
  assert.ok(isUnprintable(escaped));
  assert.ok(isUnprintable({ conditions: [{ message: "a\u202eb" }] }));
  assert.ok(!isUnprintable(JSON.stringify({ msg: "plain <text> with ümlauts", time: 1 })));
});
