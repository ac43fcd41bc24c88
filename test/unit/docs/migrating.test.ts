import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { MEASUREMENT_FIELDS } from "../../../src/contract.ts";
import { docTables } from "../../support/docs.ts";

const TABLES = docTables("docs/migrating.md").filter(({ columns }) => columns[1] === "here");
/** A name of another program, such as `rx_{bytes,pkts}` for two. */
const BRACES = /^(.*?)\{([^}]*)\}(.*)$/;

/** Returns the code spans of a cell. */
function spans(cell = ""): readonly string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].flatMap(([, span = ""]) => expanded(span));
}

function expanded(name: string): readonly string[] {
  const [, before = "", choices, after = ""] = BRACES.exec(name) ?? [];
  return choices === undefined ? [name] : choices.split(",").flatMap((choice) => expanded(before + choice + after));
}

/** Returns the names of the other program in the table under a heading. */
function theirs(heading: string): ReadonlySet<string> {
  const rows = TABLES.find((table) => table.heading.includes(heading))?.rows ?? [];
  return new Set(
    rows.flatMap(([cell = ""]) => {
      const [first = "", ...fields] = spans(cell);
      return first.startsWith("libvirt_") ? fields.map((field) => `${first} ${field}`) : [first, ...fields];
    }),
  );
}

/** Returns the lines of a list of another program's names. */
function fixture(name: string): readonly string[] {
  const lines = readFileSync(`test/fixtures/foreign-names/${name}.txt`, "utf8").trimEnd().split("\n");
  return lines.filter((line) => !line.startsWith("#"));
}

test("every row says what replaces a name here, or why nothing does", () => {
  assert.equal(TABLES.length, 4);
  for (const { rows } of TABLES)
    for (const [name, here = ""] of rows) assert.match(here, /^no: \w|`vm_\w+|^tags? /, name);
});

test("the names of our fields are in the contract", () => {
  for (const { rows } of TABLES)
    for (const [, here] of rows)
      for (const span of spans(here)) {
        const [, measurement = "", field] = /^(vm_\w+)(?:\.(\w+))?$/.exec(span) ?? [];
        if (measurement === "") continue;
        const fields = MEASUREMENT_FIELDS[measurement];
        assert.ok(fields !== undefined, `${measurement} does not exist`);
        if (field !== undefined) assert.ok(field in fields, `${span} does not exist`);
      }
});

test("no field of another program appears twice in a table", () => {
  for (const { heading, rows } of TABLES) {
    const names = rows.map(([name = ""]) => name);
    assert.deepEqual(names, [...new Set(names)], heading);
  }
});

test("the table of Telegraf has every field of its libvirt input", () => {
  assert.deepEqual(
    [...theirs("Telegraf")].filter((name) => name.startsWith("libvirt_")).sort(),
    fixture("telegraf").toSorted(),
  );
});

test("the table of collectd has every value of its ExtraStats", () => {
  const mapped = theirs("collectd");
  for (const line of fixture("collectd")) {
    const [, name = ""] = line.split(" ");
    assert.ok(mapped.has(name), line);
  }
});

test("the table of the exporters has every metric of both", () => {
  assert.deepEqual([...theirs("exporters")].sort(), fixture("exporters"));
});

test("the table of KubeVirt has every metric of a VM and of a VMI", () => {
  assert.deepEqual([...theirs("KubeVirt")].sort(), fixture("kubevirt"));
});
