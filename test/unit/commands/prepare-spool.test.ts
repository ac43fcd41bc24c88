import assert from "node:assert/strict";
import { chmod, chown, lstat, mkdir, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { parseOwner, prepareSpool } from "../../../src/commands/prepare-spool.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const OTHER = { uid: 107, gid: 0 };
const isRoot = process.getuid?.() === 0;
const needsRoot = { skip: isRoot ? false : "only root can give files away" };

/** A spool as an agent leaves it, and a link out of it. */
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

test("a spool directory and all in it become the user's, links as links", needsRoot, async (t) => {
  const { root, all, outside } = await spool(t);
  assert.equal(await prepareSpool(root, OTHER), 0);
  assert.deepEqual(
    await owners(all),
    all.map(() => "107:0"),
  );
  assert.deepEqual(await owners([outside]), ["0:0"]);
});

test("what a step that was cut short has left is found", needsRoot, async (t) => {
  const { root, all } = await spool(t);
  await chown(root, OTHER.uid, OTHER.gid);
  await prepareSpool(root, OTHER);
  assert.deepEqual(
    await owners(all),
    all.map(() => "107:0"),
  );
});

test("modes stay as they are", needsRoot, async (t) => {
  const { root, all } = await spool(t);
  await chmod(root, 0o750);
  await prepareSpool(root, OTHER);
  const modes = await Promise.all(all.slice(0, 3).map(async (at) => (await lstat(at)).mode & 0o777));
  assert.deepEqual(modes, [0o750, 0o700, 0o600]);
});

test("nothing is touched where everything is the user's already, so no right is needed", async (t) => {
  const { root, all } = await spool(t);
  const before = await Promise.all(all.map(async (at) => (await lstat(at)).ctimeMs));
  await prepareSpool(root, { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });
  assert.deepEqual(await Promise.all(all.map(async (at) => (await lstat(at)).ctimeMs)), before);
});

test("a directory that is not there is an error with a code", async () => {
  await assert.rejects(prepareSpool("/nonexistent/spool", OTHER), {
    code: "E_SPOOL_WRITE",
    message: /^\/nonexistent\/spool cannot be given to its user: ENOENT/,
  });
});

test("an owner is two numbers", () => {
  assert.deepEqual(parseOwner("107:0"), OTHER);
  for (const wrong of ["107", "107:", ":0", "qemu:root", "-1:0", "1:2:3"])
    assert.throws(() => parseOwner(wrong), /It must be UID:GID/, wrong);
});
