import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseLines, type Point } from "../../../scripts/demo/line-protocol-parser.ts";
import { stateName } from "../../../src/collection/domain-sample.ts";
import { MEASUREMENTS } from "../../../src/measurement/registry.ts";
import { docTables } from "../../support/docs.ts";

const PAGE = "docs/measurements.md";
/** The lines of a domain, which a test of the encoder checks. */
const GOLDEN = ["plain-domain", "vcpus"].map((name) => readFileSync(`test/golden/lines/${name}.lp`, "utf8")).join("");

const points = parseLines(GOLDEN);
const tables = docTables(PAGE);

/** `name type` of every field, in the order of the line. */
function fieldsOf({ fields }: Point): readonly string[] {
  const types = { bigint: "integer", number: "float", string: "string", boolean: "boolean" };
  return [...fields].map(([name, value]) => `\`${name}\` ${types[typeof value as keyof typeof types]}`);
}

test("the tables of fields have every field with its type, in the order of the line", () => {
  const documented = tables
    .filter(({ columns }) => columns[0] === "field")
    .map(({ heading, rows }) => [heading, rows.map(([name = "", type = ""]) => `${name} ${type}`)]);
  // Both of the golden domain's interfaces have the same fields, and its second vCPU lacks some.
  const written = points.filter(({ tags }) => tags.get("device") !== "tap1" && tags.get("vcpu") !== "2");
  assert.deepEqual(
    documented,
    written.map((point) => [point.measurement, fieldsOf(point)]),
  );
});

test("every field has a kind and a description", () => {
  for (const { columns, rows } of tables.filter(({ columns }) => columns[0] === "field")) {
    assert.deepEqual(columns, ["field", "type", "unit", "kind", "what it is", "libvirt"]);
    for (const [name, , , kind = "", what = ""] of rows) {
      assert.match(kind, /^(?:counter|gauge)$/, name);
      assert.notEqual(what, "", name);
    }
  }
});

test("the overview has every measurement with its family", () => {
  const overview = tables.find(({ columns }) => columns[0] === "measurement");
  assert.deepEqual(
    overview?.rows.map(([name, family]) => [name, family]),
    MEASUREMENTS.map(({ name, family }) => [`[\`${name}\`](#${name})`, `\`${family}\``]),
  );
});

test("the examples are lines of the encoder", () => {
  const examples = readFileSync(PAGE, "utf8").match(/^vm_\w+,.*$/gm) ?? [];
  assert.equal(examples.length, 6);
  for (const example of examples) assert.ok(GOLDEN.split("\n").includes(example), example);
});

test("the table of states has every state's word", () => {
  const states = tables.find(({ heading }) => heading === "States");
  assert.deepEqual(
    states?.rows,
    Array.from({ length: 8 }, (_, state) => [String(state), `\`${stateName(state)}\``]),
  );
});
