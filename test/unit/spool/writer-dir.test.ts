import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { thisProcess } from "../../../src/spool/lock.ts";
import { claimDir, releaseDir } from "../../../src/spool/writer-dir.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

for (const directory of ["s", "s/v1", "./s/v1", "a/b/v1"])
  test(`${directory}, which begins where the process is, is made and taken`, async (t) => {
    const before = process.cwd();
    t.after(() => {
      process.chdir(before);
    });
    process.chdir(await temporaryDirectory(t));
    const home = await claimDir(directory, thisProcess());
    assert.ok(home);
    assert.ok((await stat(path.join(directory, "lock"))).isFile());
    await releaseDir(home, true);
  });
