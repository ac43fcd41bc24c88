import { execFileSync } from "node:child_process";
import { mkdtemp, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { atEnd } from "./at-end.ts";

/** Returns whether tests that need a small file system are skipped, and prints a warning if so. On CI it throws instead. */
export function skipWithoutMounts(what: string): boolean {
  if (process.platform === "linux" && process.getuid?.() === 0) return false;
  if (process.env["CI"] === "true") throw new Error("not root: file systems cannot be mounted");
  console.error(`SKIPPED: ${what}, because mounting needs root`);
  return true;
}

/** Mounts a file system of `bytes` bytes until the test ends; resolves to its directory. */
export async function smallDisk(t: TestContext, bytes: number): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "telemetry-disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", directory]);
  atEnd(t, async () => {
    // Lazily, so that a file that a failed test has left open does not keep the mount.
    execFileSync("umount", ["--lazy", directory]);
    await rmdir(directory);
  });
  return directory;
}
