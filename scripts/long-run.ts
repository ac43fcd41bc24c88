import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { format } from "prettier";
import { provision } from "./provision/provision.ts";

/**
 * Does what takes long, with the bundle built, and ends the process: with 1 if it failed. What it started is ended, also when
 * somebody interrupts it. `files`: by what these import it is known what has to be installed.
 */
export async function longRun(
  files: readonly string[],
  work: (resources: AsyncDisposableStack) => Promise<void>,
): Promise<never> {
  const missing = new Set([...provision(files).values()].flat());
  if (missing.size > 0) fail(`this cannot run here; it needs ${[...missing].join("; ")}`);
  if (spawnSync("node", ["scripts/build.ts"], { stdio: "inherit" }).status !== 0) process.exit(1);
  const resources = new AsyncDisposableStack();
  try {
    await Promise.race([work(resources), interrupted()]);
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  } finally {
    await resources.disposeAsync();
  }
  // After an interruption the work still goes on.
  process.exit();
}

export function fail(message: string): never {
  console.error(message);
  process.exit(1);
}

/** A page in the form that the tree has. */
export async function formatPage(text: string, file: string): Promise<string> {
  const config = JSON.parse(readFileSync(".prettierrc.json", "utf8")) as object;
  return format(text, { ...config, filepath: file });
}

/** Rejects when somebody wants this process to end, so that what was started can be ended first. */
async function interrupted(): Promise<never> {
  await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
  throw new Error("interrupted; everything that was started is ended");
}
