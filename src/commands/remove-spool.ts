import { once } from "node:events";
import { readdir, rm, rmdir } from "node:fs/promises";
import path from "node:path";
import { TelemetryError, messageOf } from "../errors.ts";
import { errorCode } from "../lib/error-code.ts";
import { readRejectedName, REJECTED_DIR } from "../spool/rejected-names.ts";
import { isWriterDir, isWriterFile } from "../spool/writer-dir.ts";

const DAY_MS = 86_400_000;
const FILES_OF_ROOT = /^known-objects\.jsonl(\.tmp)?$/;

/**
 * Removes the files that agents have written to a spool directory, and keeps all others. With `stay` it then waits for the signal, as
 * the container of a DaemonSet must. Resolves to the exit code.
 */
export async function removeSpool(
  directory: string,
  { stay = false }: { readonly stay?: boolean },
  stop: AbortSignal,
  print: (line: string) => void,
): Promise<number> {
  try {
    const left = await removeIn(directory);
    print(`${directory}: the files of the agents are removed${left > 0 ? `, ${left} others stay` : ""}`);
  } catch (error) {
    throw new TelemetryError("E_SPOOL_WRITE", `${directory} cannot be emptied: ${messageOf(error)}`, { cause: error });
  }
  if (stay && !stop.aborted) await signalled(stop);
  return 0;
}

async function signalled(stop: AbortSignal): Promise<void> {
  // Node exits when only a promise is pending, whether or not the process listens for signals.
  const pending = setInterval(() => undefined, DAY_MS);
  await once(stop, "abort");
  clearInterval(pending);
}

/** Resolves to the number of other files and directories in it. */
async function removeIn(root: string): Promise<number> {
  let left = 0;
  for (const entry of await readdir(root, { withFileTypes: true })) {
    const at = path.join(root, entry.name);
    const isWritten = entry.isDirectory() ? filesOf(entry.name) : undefined;
    if (isWritten !== undefined) left += await removeDirectory(at, isWritten);
    else if (entry.isFile() && FILES_OF_ROOT.test(entry.name)) await rm(at, { force: true });
    else left++;
  }
  return left;
}

/** Returns which files agents write to a directory of the spool; undefined if it is not one of theirs. */
function filesOf(directory: string): ((name: string) => boolean) | undefined {
  if (isWriterDir(directory)) return isWriterFile;
  return directory === REJECTED_DIR ? (name) => readRejectedName(name) !== undefined : undefined;
}

async function removeDirectory(directory: string, isWritten: (name: string) => boolean): Promise<number> {
  for (const { name } of (await readdir(directory, { withFileTypes: true })).filter((entry) => entry.isFile()))
    if (isWritten(name)) await rm(path.join(directory, name), { force: true });
  try {
    await rmdir(directory);
    return 0;
  } catch (error) {
    if (errorCode(error) === "ENOTEMPTY") return 1;
    throw error;
  }
}
