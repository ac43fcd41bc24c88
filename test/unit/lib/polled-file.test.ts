import assert from "node:assert/strict";
import fs from "node:fs";
import { rename, rm, truncate, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { PolledFile } from "../../../src/lib/polled-file.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

/** Longer than a file is read again after it has changed. */
const SETTLED_MS = 2_100;

async function fileWith(t: Parameters<typeof temporaryDirectory>[0], text: string): Promise<string> {
  const file = path.join(await temporaryDirectory(t), "file");
  await writeFile(file, text);
  return file;
}

test("each read returns the current text, whatever the time and the size of the file say", async (t) => {
  const file = await fileWith(t, "one");
  const polled = new PolledFile(file, 100);
  assert.equal(await polled.read(), "one");
  for (const text of ["two", "six", "long text", ""]) {
    await writeFile(file, text);
    await utimes(file, 1, 1);
    assert.equal(await polled.read(), text);
  }
  await setTimeout(SETTLED_MS);
  assert.equal(await polled.read(), "");
  await writeFile(file, "new");
  assert.equal(await polled.read(), "new");
  await setTimeout(SETTLED_MS);
  assert.equal(await polled.read(), "new");
  await writeFile(`${file}.new`, "abc");
  await rename(`${file}.new`, file);
  assert.equal(await polled.read(), "abc");
  await rm(file);
  await assert.rejects(polled.read(), { code: "ENOENT" });
  await writeFile(file, "back");
  assert.equal(await polled.read(), "back");
});

test("a file that does not change is not opened again", async (t) => {
  const file = await fileWith(t, "text");
  const polled = new PolledFile(file, 100);
  await setTimeout(SETTLED_MS);
  assert.equal(await polled.read(), "text");
  const opened: string[] = [];
  const open = fs.open;
  t.mock.method(fs, "open", (...args: Parameters<typeof open>) => {
    opened.push(String(args[0]));
    open(...args);
  });
  assert.equal(await polled.read(), "text");
  assert.deepEqual(opened, []);
  await truncate(file, 2);
  assert.equal(await polled.read(), "te");
  assert.deepEqual(opened, [file]);
});

test("a file with more bytes than allowed is an error that names the limit", async (t) => {
  const file = await fileWith(t, "12345");
  assert.equal(await new PolledFile(file, 5).read(), "12345");
  await assert.rejects(new PolledFile(file, 4).read(), { message: "it has more than 4 bytes" });
});
