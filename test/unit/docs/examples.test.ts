import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { parseConfig } from "../../../src/config/parse.ts";
import { configText, LEAST_SPEC } from "../../support/config.ts";
import { docBlocks } from "../../support/docs.ts";

/** Pages whose YAML are values of the chart, which a test of the chart renders, or of Prometheus, whose own tool checks them. */
const OF_OTHERS = ["docs/install.md", "docs/prometheus.md"];

test("YAML in the pages is a valid TelemetryConfig, or part of a spec", () => {
  const blocks = globSync("docs/*.md")
    .filter((page) => !OF_OTHERS.includes(page))
    .flatMap((page) => docBlocks(page).filter(({ language }) => language === "yaml"));
  assert.notEqual(blocks.length, 0);
  for (const { heading, text } of blocks) {
    const whole = text.startsWith("apiVersion:");
    const config = whole ? text : configText({ ...LEAST_SPEC, ...(parse(text) as object) });
    assert.deepEqual(parseConfig(config, { cluster: true }).faults, undefined, heading);
  }
});
