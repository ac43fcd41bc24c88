import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { openFileLimit } from "../../../src/lib/open-files.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

test("the limit of open files is the soft one, and none if the system does not say", async (t) => {
  const file = path.join(await temporaryDirectory(t), "limits");
  const row = (soft: string): string =>
    `Limit                     Soft Limit           Hard Limit           Units\nMax open files            ${soft}                 4096                 files\n`;
  await writeFile(file, row("256"));
  assert.equal(openFileLimit(file), 256);
  await writeFile(file, row("unlimited"));
  assert.equal(openFileLimit(file), Infinity);
  assert.equal(openFileLimit(`${file}.absent`), Infinity);
  assert.ok(openFileLimit() > 0);
});
