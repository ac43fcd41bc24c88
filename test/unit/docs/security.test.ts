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

test("the table of limits has the names and numbers of the budget", () => {
  const rows = docTables(PAGE).find(({ columns }) => columns[0] === "limit of one launcher")?.rows ?? [];
  const shown = rows.map(([, name = "", number = ""]) => [
    name.replaceAll("`", ""),
    Number(number.replaceAll(",", "")),
  ]);
  const numbers: unknown = Object.fromEntries(shown.filter(([name]) => name !== ""));
  assert.deepEqual(numbers, LAUNCHER_BUDGET);
});
