import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { FAMILY_NAMES } from "../../../src/contract.ts";
import { needsOf } from "../../../src/measurement/registry.ts";
import { VM_METRICS } from "../../../src/observability/vm-metrics.ts";
import { docTables } from "../../support/docs.ts";

const [METRICS, LEFT_OUT] = docTables("docs/prometheus.md");
const code = (text: string): string => `\`${text}\``;

/** Names without `kubevirt_`. */
const THEIRS: readonly string[] =
  readFileSync("test/fixtures/foreign-names/kubevirt.txt", "utf8").match(/^vmi_.*$/gm) ?? [];

test("the page lists exactly the metrics that are served, with their labels and families", () => {
  assert.deepEqual(
    METRICS?.rows,
    VM_METRICS.map(({ name, type, labels, need, help }) => [
      code(name),
      type,
      labels
        .filter((label) => !["name", "namespace", "node"].includes(label))
        .map(code)
        .join(", "),
      need === undefined
        ? "any"
        : FAMILY_NAMES.filter((family) => needsOf([family]).includes(need))
            .map(code)
            .join(", "),
      help,
    ]),
  );
});

test("every metric of KubeVirt about a VMI is served, or the page says why not", () => {
  const served = VM_METRICS.map(({ name }) => name.replace("kubevirt_", ""));
  const reasons = (LEFT_OUT?.rows ?? []).flatMap(([names = ""]) => [...names.matchAll(/`(vmi_\w+?)(\.\.\.)?`/g)]);
  const isLeftOut = (name: string): boolean =>
    reasons.some(([, start = "", more]) => (more === undefined ? name === start : name.startsWith(start)));
  for (const name of THEIRS) assert.notEqual(served.includes(name), isLeftOut(name), name);
  for (const name of served) assert.ok(THEIRS.includes(name), name);
});
