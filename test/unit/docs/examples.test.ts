import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { parseConfig } from "../../../src/config/parse.ts";
import { configText, LEAST_SPEC } from "../../support/config.ts";
import { docBlocks } from "../../support/docs.ts";

/** Pages whose YAML are values of the chart; a test of the chart renders them. */
const OF_THE_CHART = ["docs/install.md"];

test("YAML in the pages is a valid TelemetryConfig, or part of a spec", () => {
  const blocks = globSync("docs/*.md")
    .filter((page) => !OF_THE_CHART.includes(page))
    .flatMap((page) => docBlocks(page).filter(({ language }) => language === "yaml"));
  assert.notEqual(blocks.length, 0);
  for (const { heading, text } of blocks) {
    const whole = text.startsWith("apiVersion:");
    const config = whole ? text : configText({ ...LEAST_SPEC, ...(parse(text) as object) });
    assert.deepEqual(parseConfig(config, { cluster: true }).faults, undefined, heading);
  }
});
