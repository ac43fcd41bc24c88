import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parseConfig } from "../../../src/config/parse.ts";

/** The examples are files for a host, the samples are for a cluster. */
const FILES: readonly (readonly [pattern: string, cluster: boolean])[] = [
  ["docs/examples/*.yaml", false],
  ["manifests/samples/*.yaml", true],
];

test("every example and sample is valid", () => {
  for (const [pattern, cluster] of FILES) {
    const files = globSync(pattern);
    assert.notEqual(files.length, 0, pattern);
    for (const file of files)
      assert.deepEqual(parseConfig(readFileSync(file, "utf8"), { cluster }).faults, undefined, file);
  }
});

test("a file for a cluster may have fields that a file for a host may not", () => {
  const text = readFileSync("manifests/samples/node-pool.yaml", "utf8");
  assert.deepEqual(
    parseConfig(text).faults?.map(({ path, message }) => `${path}: ${message}`),
    ["spec.nodeSelector: needs a cluster; remove it from a standalone configuration"],
  );
});
