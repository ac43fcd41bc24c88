import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CLUSTER_ONLY, clusterOnlyFields } from "../../../src/config/parse.ts";
import { CLUSTER_SPEC, FULL_SPEC, changed } from "../../support/config.ts";

test("every field that needs a cluster is found, also in targets", () => {
  assert.deepEqual(clusterOnlyFields(CLUSTER_SPEC), [
    ["nodeSelector"],
    ["namespaces"],
    ["vmSelector"],
    ["tags", "vmLabels"],
    ["tags", "vmAnnotations"],
    ...[0, 1, 2].map((index) => ["targets", index, "vmSelector"]),
    ...[0, 1, 2].map((index) => ["targets", index, "namespaces"]),
  ]);
});

test("no other field needs a cluster", () => {
  assert.deepEqual(clusterOnlyFields(FULL_SPEC), []);
});

test("empty objects and lists are allowed", () => {
  for (const path of CLUSTER_ONLY.map((parts) => parts.map((part) => (part === "*" ? 0 : part))))
    for (const empty of [null, {}, []])
      assert.deepEqual(clusterOnlyFields(changed(FULL_SPEC, path, empty)), [], path.join("."));
});

test("a spec of any shape is accepted", () => {
  const shape = fc.record({ tags: fc.jsonValue(), targets: fc.jsonValue(), vmSelector: fc.jsonValue() });
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), shape), (spec) => {
      assert.ok(Array.isArray(clusterOnlyFields(spec)));
    }),
  );
});
