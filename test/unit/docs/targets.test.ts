import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { influxd2Path, questdbPath, telegrafPath, victoriaMetricsPath } from "../../../scripts/provision/cache.ts";
import { MEASUREMENT_FIELDS } from "../../../src/contract.ts";
import { docBlocks } from "../../support/docs.ts";

const PAGE = "docs/targets.md";

test("docs/targets.md has the versions of the servers that the tests start", () => {
  const page = readFileSync(PAGE, "utf8");
  for (const file of [influxd2Path(), questdbPath(), telegrafPath(), victoriaMetricsPath()]) {
    const version = /\d+\.\d+\.\d+/.exec(file)?.[0] ?? file;
    assert.ok(page.includes(version), version);
  }
});

test("docs/targets.md deduplicates each measurement", () => {
  const statements = docBlocks(PAGE).filter(({ language }) => language === "sql");
  const tables = statements.flatMap(({ text }) => [...text.matchAll(/ALTER TABLE (\w+)/g)].map(([, table]) => table));
  assert.deepEqual(tables.sort(), Object.keys(MEASUREMENT_FIELDS).sort());
});
