import assert from "node:assert/strict";
import fs, { chmod, chown, lstat, mkdir, symlink, writeFile } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { parseOwner, prepareSpool } from "../../../src/commands/prepare-spool.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const OTHER = { uid: 107, gid: 0 };
const isRoot = process.getuid?.() === 0;
const needsRoot = { skip: isRoot ? false : "only root can change owners" };

/** Creates a spool with a file and a link to a file outside. */
async function spool(t: TestContext) {
  const root = await temporaryDirectory(t);
  const [home, file, link] = [path.join(root, "v1"), path.join(root, "v1/0001.seg"), path.join(root, "v1/link")];
  const outside = path.join(await temporaryDirectory(t), "outside");
  await mkdir(home, { mode: 0o700 });
  await writeFile(file, "lines", { mode: 0o600 });
  await writeFile(outside, "");
  await symlink(outside, link);
  return { root, all: [root, home, file, link], outside };
}

async function owners(paths: readonly string[]): Promise<string[]> {
  const stats = await Promise.all(paths.map((at) => lstat(at)));
  return stats.map(({ uid, gid }) => `${uid}:${gid}`);
}

test("the directory and its content get the owner, and links are not followed", needsRoot, async (t) => {
  const { root, all, outside } = await spool(t);
  assert.equal(await prepareSpool(root, OTHER), 0);
  assert.deepEqual(
    await owners(all),
    all.map(() => "107:0"),
  );
  assert.deepEqual(await owners([outside]), ["0:0"]);
});

test("content is changed if the directory already has the owner", needsRoot, async (t) => {
  const { root, all } = await spool(t);
  await chown(root, OTHER.uid, OTHER.gid);
  await prepareSpool(root, OTHER);
  assert.deepEqual(
    await owners(all),
    all.map(() => "107:0"),
  );
});

test("modes do not change", needsRoot, async (t) => {
  const { root, all } = await spool(t);
  await chmod(root, 0o750);
  await prepareSpool(root, OTHER);
  const modes = await Promise.all(all.slice(0, 3).map(async (at) => (await lstat(at)).mode & 0o777));
  assert.deepEqual(modes, [0o750, 0o700, 0o600]);
});

test("files that already have the owner are not changed, which needs no right", async (t) => {
  const { root, all } = await spool(t);
  const before = await Promise.all(all.map(async (at) => (await lstat(at)).ctimeMs));
  await prepareSpool(root, { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });
  assert.deepEqual(await Promise.all(all.map(async (at) => (await lstat(at)).ctimeMs)), before);
});

test("a file or directory that is deleted meanwhile is skipped", async (t) => {
  const { root } = await spool(t);
  const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const { readdir } = fs;
  // Lists a name that is gone when it is looked at.
  t.mock.method(fs, "readdir", async (at: string) => ["gone", ...(await readdir(at))]);
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.reset();
    syncBuiltinESMExports();
  });
  assert.equal(await prepareSpool(root, own), 0);
});

test("a missing directory is an error with a code", async () => {
  await assert.rejects(prepareSpool("/nonexistent/spool", OTHER), {
    code: "E_SPOOL_WRITE",
    message: /^the owner of \/nonexistent\/spool cannot be changed: ENOENT/,
  });
});

test("an owner is two numbers", () => {
  assert.deepEqual(parseOwner("107:0"), OTHER);
  for (const wrong of ["107", "107:", ":0", "qemu:root", "-1:0", "1:2:3"])
    assert.throws(() => parseOwner(wrong), /It must be UID:GID/, wrong);
});
