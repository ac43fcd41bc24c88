import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { docTables } from "../../support/docs.ts";

const PAGE = "docs/ARCHITECTURE.md";
const rows = docTables(PAGE)
  .filter(({ columns }) => columns[0] === "part")
  .flatMap(({ rows }) => rows);
const names = (cell = ""): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);

test("the map has every folder and file of src, each once", () => {
  assert.deepEqual(
    rows.flatMap(([part]) => names(part)).sort(),
    readdirSync("src")
      .map((name) => `src/${name}`)
      .sort(),
  );
});

test("the files to read first exist", () => {
  for (const row of rows)
    for (const file of names(row.at(-1))) assert.ok(existsSync(`${names(row[0])[0]}/${file}`), `${row[0]} ${file}`);
});

test("the files and classes that the text names exist", () => {
  const text = readFileSync(PAGE, "utf8");
  const files = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  const source = files.map((file) => readFileSync(`src/${file}`, "utf8")).join("\n");
  const diagram = text.slice(text.indexOf("## Which object owns which"), text.indexOf("## How a sample flows"));
  const classes = new Set(diagram.match(/\b(?:[A-Z][a-z]+){2,}\b/g));
  assert.ok(classes.size > 20);
  classes.delete("TelemetryConfigs");
  for (const name of classes)
    assert.ok(new RegExp(`\\b(?:class|interface) ${name}\\b`).test(source), `${name} is not a class of src`);
  const prose = text.replaceAll(/^\|.*$/gm, "");
  for (const [, file = ""] of prose.matchAll(/`(?:src\/)?((?:[\w-]+\/)+[\w-]+\.ts)`/g))
    assert.ok(existsSync(`src/${file}`) || existsSync(file), file);
});
