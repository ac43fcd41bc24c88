import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Point } from "../../../scripts/demo/line-protocol-parser.ts";
import { stateName } from "../../../src/collection/domain-sample.ts";
import { reasonName } from "../../../src/collection/state-reason.ts";
import { REPORT_MEASUREMENTS, MEASUREMENTS, NODE_MEASUREMENTS } from "../../../src/measurement/registry.ts";
import { docTables } from "../../support/docs.ts";
import { goldenPoints, goldenTexts, typeOf } from "../../support/golden-lines.ts";

const REGISTERED = [...MEASUREMENTS, ...REPORT_MEASUREMENTS, ...NODE_MEASUREMENTS];
const PAGE = "docs/measurements.md";
const tables = docTables(PAGE);

/** `name type` of every field, in the order of the line. */
function fieldsOf({ fields }: Point): readonly string[] {
  return [...fields].map(([name, value]) => `\`${name}\` ${typeOf(value)}`);
}

test("the tables of fields have every field with its type, in the order of the line", () => {
  const documented = tables
    .filter(({ columns }) => columns[0] === "field")
    .map(({ heading, rows }) => [heading, rows.map(([name = "", type = ""]) => `${name} ${type}`)]);
  const order = REGISTERED.map(({ name }) => name);
  // The fields of vm_raw are those of libvirt.
  const fixed = goldenPoints().filter(({ measurement }) => measurement !== "vm_raw");
  const written = fixed.sort((a, b) => order.indexOf(a.measurement) - order.indexOf(b.measurement));
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
    REGISTERED.map(({ name, family }) => [`[\`${name}\`](#${name})`, `\`${family}\``]),
  );
});

test("the examples are lines of the encoder", () => {
  const examples = readFileSync(PAGE, "utf8").match(/^vm_\w+,.*$/gm) ?? [];
  const written = goldenTexts().split("\n");
  assert.equal(examples.length, goldenPoints().length);
  for (const example of examples) assert.ok(written.includes(example), example);
});

test("the table of reasons has the words of every state that a running VM can have", () => {
  const rows = tables.find(({ heading }) => heading === "Reasons")?.rows ?? [];
  const states = rows.map(([state = ""]) => [1, 3, 4, 6].find((number) => `\`${stateName(number)}\`` === state) ?? 0);
  assert.deepEqual(states, [1, 3, 4, 6]);
  for (const [at, [, reasons = ""]] of rows.entries()) {
    const words = Array.from({ length: 32 }, (_, code) => [code, reasonName(states[at] ?? 0, code)] as const)
      .filter(([code, word]) => code === 0 || word !== "unknown")
      .map(([code, word]) => `${code} \`${word}\``);
    assert.equal(reasons, words.join(", "));
  }
});

test("the table of states has every state's word", () => {
  const states = tables.find(({ heading }) => heading === "States");
  assert.deepEqual(
    states?.rows,
    Array.from({ length: 8 }, (_, state) => [String(state), `\`${stateName(state)}\``]),
  );
});
