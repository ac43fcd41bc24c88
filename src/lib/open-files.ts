import { readFileSync } from "node:fs";

/** Returns how many files and connections this process may have open; Infinity if the system does not say. */
export function openFileLimit(limits = "/proc/self/limits"): number {
  try {
    // Node raises the soft limit, which applies, to the hard limit when it starts.
    const soft = /^Max open files\s+([0-9]+)/m.exec(readFileSync(limits, "utf8"))?.[1];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
