import { access, constants, mkdtemp, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { atEnd } from "./at-end.ts";

/** A directory of Linux whose files are in memory. */
const MEMORY = "/dev/shm";
/** More than any test writes. Docker gives a container 64 MiB only. */
const ENOUGH_BYTES = 256 << 20;

/** Returns a directory that is deleted when the test ends. */
export function temporaryDirectory(t: TestContext): Promise<string> {
  return directoryIn(t, tmpdir());
}

/**
 * Returns a temporary directory on a memory file system if there is one, where a sync takes no time. For tests that sync
 * thousands of times: a sync protects against a loss of power, and files survive a killed process without it.
 */
export async function memoryDirectory(t: TestContext): Promise<string> {
  return directoryIn(t, (await hasMemoryFiles()) ? MEMORY : tmpdir());
}

async function hasMemoryFiles(): Promise<boolean> {
  try {
    await access(MEMORY, constants.W_OK);
    const { bavail, bsize } = await statfs(MEMORY);
    return bavail * bsize >= ENOUGH_BYTES;
  } catch {
    return false;
  }
}

async function directoryIn(t: TestContext, parent: string): Promise<string> {
  const directory = await mkdtemp(path.join(parent, "telemetry-"));
  atEnd(t, () => rm(directory, { recursive: true, force: true }));
  return directory;
}
