import { lchown, lstat, readdir } from "node:fs/promises";
import path from "node:path";
import { InvalidArgumentError } from "commander";
import { TelemetryError, messageOf } from "../errors.ts";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** `107:0`. */
export function parseOwner(text: string): Owner {
  const [, uid, gid] = /^([0-9]{1,9}):([0-9]{1,9})$/.exec(text) ?? [];
  if (uid === undefined) throw new InvalidArgumentError("It must be UID:GID, two numbers.");
  return { uid: Number(uid), gid: Number(gid) };
}

/**
 * Gives a spool directory and all in it to the user of the agent: the kubelet makes a hostPath for root, and another user
 * may have filled it. Needs CAP_CHOWN, and CAP_DAC_OVERRIDE to look into what is not root's. Resolves to the exit code.
 */
export async function prepareSpool(directory: string, owner: Owner): Promise<number> {
  try {
    await give(directory, owner);
    return 0;
  } catch (error) {
    throw new TelemetryError("E_SPOOL_WRITE", `${directory} cannot be given to its user: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** What is in a directory goes before it, and no link is followed. */
async function give(at: string, owner: Owner): Promise<void> {
  const stats = await lstat(at);
  if (stats.isDirectory()) for (const name of await readdir(at)) await give(path.join(at, name), owner);
  if (stats.uid !== owner.uid || stats.gid !== owner.gid) await lchown(at, owner.uid, owner.gid);
}
