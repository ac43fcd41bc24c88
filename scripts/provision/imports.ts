import { readFileSync } from "node:fs";
import path from "node:path";

const IMPORT = /^(?:import|export) (?!type )[^;]*?"(\.[^"]+\.ts)";$/gm;

/** The files of this project that run when a file does: itself and what it imports, directly or not, types aside. */
export function importsOf(file: string, found = new Set<string>()): ReadonlySet<string> {
  if (found.has(file)) return found;
  found.add(file);
  for (const [, to = ""] of readFileSync(file, "utf8").matchAll(IMPORT))
    importsOf(path.join(path.dirname(file), to), found);
  return found;
}
