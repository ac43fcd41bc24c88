import { execFileSync } from "node:child_process";
import { mkdtemp, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";

/** Whether tests that need a small file system have to be skipped; said loudly, and not allowed on CI. */
export function skipWithoutMounts(what: string): boolean {
  if (process.platform === "linux" && process.getuid?.() === 0) return false;
  if (process.env["CI"] === "true") throw new Error("not root: file systems cannot be mounted");
  console.error(`SKIPPED: ${what}, because mounting needs root`);
  return true;
}

/** The directory of a file system of so many bytes, which is gone when the test ends. */
export async function smallDisk(t: TestContext, bytes: number): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "telemetry-disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", directory]);
  t.after(async () => {
    // Lazily: even what a failed test still has open must not keep it.
    execFileSync("umount", ["--lazy", directory]);
    await rmdir(directory);
  });
  return directory;
}
