import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parseLines } from "../../scripts/demo/line-protocol-parser.ts";
import { FIELDS, TAGS } from "../../src/contract.ts";

test("the table of fields has exactly the fields of the recorded lines", () => {
  const directory = "test/golden/lines";
  const written = readdirSync(directory)
    .filter((file) => file.endsWith(".lp"))
    .flatMap((file) => parseLines(readFileSync(`${directory}/${file}`, "utf8")))
    .flatMap(({ fields }) => [...fields.keys()]);
  assert.deepEqual([...new Set(written)].sort(), [...new Set(FIELDS)].sort());
});

test("no tag has the name of a field", () => {
  assert.deepEqual(
    TAGS.filter((tag) => FIELDS.includes(tag)),
    [],
  );
});
