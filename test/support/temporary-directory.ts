import { access, constants, mkdtemp, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";

/** Linux keeps its files in memory. */
const MEMORY = "/dev/shm";
/** More than any of these tests writes; in a container it may be 64 MiB. */
const ENOUGH_BYTES = 256 << 20;

/** A directory that is gone with all in it when the test ends. */
export function temporaryDirectory(t: TestContext): Promise<string> {
  return directoryIn(t, tmpdir());
}

/**
 * The same on a memory file system, where there is one: a sync takes no time there. For tests that sync thousands of times
 * and do not cut the power, which is the only thing that a sync is for: files outlive a process that is killed.
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
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
