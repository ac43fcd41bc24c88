import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { brokenRules } from "../../../src/config/rules.ts";
import { SPEC_RULES, TARGET_RULES } from "../../../src/config/rules.ts";
import { RULE_BREAKERS } from "../../support/rule-breakers.ts";
import { judge } from "../../support/rule-verdicts.ts";
import { anySpec } from "../../support/spec-arbitrary.ts";

test("the CEL and the TypeScript form of every rule agree on generated objects", () => {
  fc.assert(
    fc.property(anySpec, (object) => {
      const split = judge(object).filter(({ celHolds, twinHolds }) => celHolds !== twinHolds);
      assert.deepEqual(split, []);
    }),
    { numRuns: 1_000 },
  );
});

test("each example breaks exactly one rule, and together they break all rules", () => {
  const seen = new Set<string>();
  for (const object of RULE_BREAKERS) {
    const verdicts = judge(object);
    const broken = verdicts.filter(({ celHolds }) => !celHolds);
    assert.equal(broken.length, 1, JSON.stringify([object, broken]));
    assert.deepEqual(
      verdicts.filter(({ twinHolds }) => !twinHolds),
      broken.map((verdict) => ({ ...verdict, twinHolds: false })),
    );
    for (const { path, message } of broken) seen.add(`${path}: ${message}`);
  }
  assert.equal(seen.size, SPEC_RULES.length + TARGET_RULES.length);
});

test("rules ignore malformed fields", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (any, other) => {
      for (const object of [
        any,
        { targets: any },
        { collection: any, tags: other },
        { targets: [any, { url: other }] },
      ])
        assert.ok(Array.isArray(brokenRules(object)));
    }),
  );
});
