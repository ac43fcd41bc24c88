import { open, readdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";

const SEGMENT = /^[0-9]{20}\.seg$/;
const CURSORS = "cursors.json";
const CURSORS_VERSION = 1;

/** Paths of the segment files in a directory, the oldest first. */
export async function segmentPaths(directory: string): Promise<string[]> {
  const names = await readdir(directory);
  return names
    .filter((name) => SEGMENT.test(name))
    .sort()
    .map((name) => path.join(directory, name));
}

/** The path of the segment whose first frame has this number. */
export function segmentPath(directory: string, first: bigint): string {
  return path.join(directory, `${first.toString().padStart(20, "0")}.seg`);
}

/** The number in the name of a segment. */
export function firstSequence(segment: string): bigint {
  return BigInt(path.basename(segment, ".seg"));
}

/** Makes durable that a file is in this directory. */
export async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, "r");
  await handle.sync();
}

/**
 * The number of the first frame that each target still needs. A target that is missing needs every frame that is for it,
 * so a file that is gone, stale or damaged makes lines be sent again, never lost.
 */
export async function readCursors(directory: string): Promise<Map<string, bigint>> {
  try {
    const { version, cursors } = JSON.parse(await readFile(path.join(directory, CURSORS), "utf8")) as Cursors;
    if (version !== CURSORS_VERSION) return new Map();
    return new Map(Object.entries(cursors).map(([target, next]) => [target, BigInt(next)]));
  } catch {
    return new Map();
  }
}

/** Without a sync: after a crash of the node a stale one is as good. */
export async function writeCursors(directory: string, cursors: ReadonlyMap<string, bigint>): Promise<void> {
  const content: Cursors = {
    version: CURSORS_VERSION,
    cursors: Object.fromEntries([...cursors].map(([target, next]) => [target, next.toString()])),
  };
  const file = path.join(directory, CURSORS);
  await writeFile(`${file}.tmp`, JSON.stringify(content), { mode: 0o600 });
  await rename(`${file}.tmp`, file);
}

interface Cursors {
  readonly version: number;
  readonly cursors: Readonly<Record<string, string>>;
}
