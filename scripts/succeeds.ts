import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

/** Resolves to whether a process ends with the exit code 0. One that cannot be started does not. */
export async function succeeds(child: ChildProcess): Promise<boolean> {
  const [status] = (await once(child, "close").catch(() => [])) as [number | null | undefined];
  return status === 0;
}
