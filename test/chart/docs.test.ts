import assert from "node:assert/strict";
import { test } from "node:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { docBlocks } from "../support/docs.ts";
import { chartObjects } from "../support/chart.ts";

test("the values in the install page are values of the chart, and change what it makes", async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), "values-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const file = path.join(directory, "values.yaml");
  const examples = docBlocks("docs/install.md").filter(({ language }) => language === "yaml");
  assert.ok(examples.length > 0);
  const byDefault = chartObjects();
  for (const { text } of examples) {
    await writeFile(file, text);
    assert.notDeepEqual(chartObjects("--values", file), byDefault, text);
  }
});
