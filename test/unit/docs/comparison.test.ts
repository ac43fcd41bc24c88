import assert from "node:assert/strict";
import { test } from "node:test";
import { FAMILY_NAMES } from "../../../src/contract.ts";
import { docTables } from "../../support/docs.ts";

const [table] = docTables("docs/comparison.md");
const here = (table?.rows ?? []).map(([what = "", cell = ""]) => ({ what, cell }));

test("a row has a family of the contract, or the reason why it has none", () => {
  const known = new Set<string>(FAMILY_NAMES);
  for (const { what, cell } of here) {
    const [, family] = /^yes, `(\w+)`$/.exec(cell) ?? [];
    if (family === undefined) assert.match(cell, /^no(?:: \w.*)?$/, what);
    else assert.ok(known.has(family), `${what}: ${family}`);
  }
});

test("every family has a row", () => {
  const missing = FAMILY_NAMES.filter((family) => !here.some(({ cell }) => cell === `yes, \`${family}\``));
  assert.deepEqual(missing, []);
});

test("every other program has an answer in every row", () => {
  for (const row of table?.rows ?? []) for (const cell of row) assert.notEqual(cell, "", row[0]);
});
