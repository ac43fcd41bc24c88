import { readFileSync } from "node:fs";
import path from "node:path";

const IMPORT = /^(?:import|export) (?!type )[^;]*?"(\.[^"]+\.ts)";$/gm;

/** Returns a file and its imports in this project, direct or not, without type imports. */
export function importsOf(file: string, found = new Set<string>()): ReadonlySet<string> {
  if (found.has(file)) return found;
  found.add(file);
  for (const [, to = ""] of readFileSync(file, "utf8").matchAll(IMPORT))
    importsOf(path.join(path.dirname(file), to), found);
  return found;
}
