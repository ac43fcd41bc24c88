import assert from "node:assert/strict";
import { test } from "node:test";
import { FAMILY_NAMES, MEASUREMENT_FIELDS, namesTakenBy, TAGS } from "../../src/contract.ts";
import { REPORT_MEASUREMENTS, MEASUREMENTS, NODE_MEASUREMENTS } from "../../src/measurement/registry.ts";
import { parseLines } from "../../scripts/demo/line-protocol-parser.ts";
import { goldenTexts, typeOf } from "../support/golden-lines.ts";

const REGISTERED = [...MEASUREMENTS, ...REPORT_MEASUREMENTS, ...NODE_MEASUREMENTS];
const written = parseLines(goldenTexts());

test("the contract has exactly the fields of the recorded lines, with their types", () => {
  const recorded = Map.groupBy(written, ({ measurement }) => measurement);
  for (const [measurement, points] of recorded) {
    // Its fields are those of libvirt.
    if (measurement === "vm_raw") continue;
    const types = points.flatMap(({ fields }) => [...fields].map(([name, value]) => [name, typeOf(value)] as const));
    const sorted = (entries: readonly (readonly [string, string])[]): string[] =>
      [...new Set(entries.map((entry) => entry.join(" ")))].sort();
    assert.deepEqual(sorted(types), sorted(Object.entries(MEASUREMENT_FIELDS[measurement] ?? {})), measurement);
  }
  assert.deepEqual([...recorded.keys()].sort(), Object.keys(MEASUREMENT_FIELDS).sort());
});

test("the measurements of the contract are those of the registry, with their families", () => {
  assert.deepEqual([...new Set(REGISTERED.map(({ family }) => family))].sort(), [...FAMILY_NAMES].sort());
  for (const { name, family } of REGISTERED)
    for (const field of Object.keys(MEASUREMENT_FIELDS[name] ?? {}))
      assert.ok(namesTakenBy(family).includes(field), `${name}.${field}`);
});

test("no line has a tag with the name of a field of its table", () => {
  for (const { measurement, tags, fields } of written)
    assert.deepEqual(
      [...tags.keys()].filter((tag) => tag in (MEASUREMENT_FIELDS[measurement] ?? {}) || fields.has(tag)),
      [],
    );
  // These tags are on all lines of a VM.
  for (const fields of Object.values(MEASUREMENT_FIELDS))
    for (const tag of ["VMID", "name", "uuid", "namespace", "node"]) assert.ok(!(tag in fields), tag);
});

test("the tags of the recorded lines are those of the contract", () => {
  for (const { tags } of written) for (const tag of tags.keys()) assert.ok(TAGS.includes(tag), tag);
});
