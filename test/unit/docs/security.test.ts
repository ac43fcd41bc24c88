import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { LAUNCHER_BUDGET } from "../../../src/budget.ts";
import { docTables } from "../../support/docs.ts";

const PAGE = "docs/security.md";

test("every test that the page names exists", () => {
  const named = [...readFileSync(PAGE, "utf8").matchAll(/`([\w/-]+\.test\.ts)`/g)].map(([, file = ""]) => file);
  let directory = "";
  const missing = named.filter((file) => {
    // A list of tests names their directory once.
    if (file.includes("/")) directory = path.dirname(file);
    return !existsSync(file.includes("/") ? file : path.join(directory, file));
  });
  assert.ok(named.length > 15, `${named.length}`);
  assert.deepEqual(missing, []);
});

test("the table of limits has the numbers of the budget", () => {
  const rows = docTables(PAGE).find(({ columns }) => columns[0] === "limit of one launcher")?.rows ?? [];
  const shown = rows.flatMap(([, numbers = ""]) => [...numbers.matchAll(/([\d,]+)( KiB| Ki)?/g)]);
  const UNITS: Readonly<Record<string, number>> = { " KiB": 1 << 10, " Ki": 1 << 10 };
  const values = shown.map(([, digits = "", unit = ""]) => Number(digits.replace(",", "")) * (UNITS[unit] ?? 1));
  assert.deepEqual(
    values.sort((a, b) => a - b),
    Object.values(LAUNCHER_BUDGET)
      .map(Number)
      .sort((a, b) => a - b),
  );
});
