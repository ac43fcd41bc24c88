import assert from "node:assert/strict";
import { test } from "node:test";
import { ATTACKS } from "../../../benchmarks/hostile/attacks.ts";

test("every attack has a name of its own and a sentence for the table", () => {
  const names = ATTACKS.map(({ name }) => name);
  assert.deepEqual(names, [...new Set(names)]);
  for (const { name, what } of ATTACKS) {
    assert.match(name, /^[a-z0-9-]+$/);
    assert.doesNotMatch(what, /[|\n]/, name);
  }
});
