import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { format } from "prettier";
import { provision } from "./provision/provision.ts";

/**
 * Builds the bundle, runs a long task and ends the process, with exit code 1 if the task fails. Disposes its resources, also on
 * SIGINT and SIGTERM. The imports of `files` decide which prerequisites are installed.
 */
export async function longRun(
  files: readonly string[],
  work: (resources: AsyncDisposableStack) => Promise<void>,
): Promise<never> {
  const missing = new Set((await Promise.all(provision(files).values())).flat());
  if (missing.size > 0) fail(`this cannot run here; it needs ${[...missing].join("; ")}`);
  if (spawnSync("node", ["scripts/build.ts"], { stdio: "inherit" }).status !== 0) process.exit(1);
  return withResources(work);
}

/**
 * Runs a task and ends the process, with exit code 1 if the task fails. Disposes its resources, also on SIGINT and SIGTERM.
 */
export async function withResources(work: (resources: AsyncDisposableStack) => Promise<void>): Promise<never> {
  const resources = new AsyncDisposableStack();
  try {
    await Promise.race([work(resources), interrupted()]);
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  } finally {
    await resources.disposeAsync();
  }
  // After an interruption the task is still running.
  process.exit();
}

export function fail(message: string): never {
  console.error(message);
  process.exit(1);
}

/** Returns a page in the format of the repository. */
export async function formatPage(text: string, file: string): Promise<string> {
  const config = JSON.parse(readFileSync(".prettierrc.json", "utf8")) as object;
  return format(text, { ...config, filepath: file });
}

/** Rejects on SIGINT or SIGTERM, so that the resources can be disposed. */
async function interrupted(): Promise<never> {
  await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
  throw new Error("interrupted");
}
