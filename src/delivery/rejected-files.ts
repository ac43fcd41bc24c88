import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { readRejectedName, type RejectedName } from "../spool/rejected-names.ts";

/** Higher ones are not ours: a number above them could have more digits than a name has. */
const MAX_NUMBER = 1e12;
/** A file has at most this part of the size of all files. */
const FILES = 16;

interface TargetFile extends RejectedName {
  readonly name: string;
  readonly bytes: number;
}

/**
 * The files of records of a directory, several for each target. When they reach `maxBytes`, the oldest file of the target with
 * the most bytes is deleted. So a target with many records takes no space that others have used.
 */
export class RejectedFiles {
  /** Records that are written together have at most this size. */
  readonly maxFileBytes: number;
  readonly #directory: string;
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(directory: string, maxBytes: number) {
    this.#directory = directory;
    this.#maxBytes = maxBytes;
    this.maxFileBytes = Math.floor(maxBytes / FILES);
  }

  /** Size of all files, as of the last call of `measure`. */
  get bytes(): number {
    return this.#bytes;
  }

  async measure(): Promise<void> {
    this.#bytes = sum(await this.#list());
  }

  /** Appends whole records of a target. Rejects if they are larger than a file or the disk does not take them; then none is kept. */
  async append(target: string, records: Buffer): Promise<void> {
    if (records.length > this.maxFileBytes) throw new RangeError("the records are larger than a file");
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const files = await this.#list();
    await this.#makeRoom(files, target, records.length);
    const current = this.#pathOf(`${target}.jsonl`);
    if ((await sizeOf(current)) + records.length > this.maxFileBytes) {
      const last = files.reduce(
        (max, file) => (file.target === target && file.number < MAX_NUMBER ? Math.max(max, file.number) : max),
        0,
      );
      await rename(current, this.#pathOf(`${target}.${last + 1}.jsonl`));
    }
    await using handle = await open(current, "a", 0o600);
    const { size } = await handle.stat();
    try {
      await handle.writeFile(records);
    } catch (error) {
      // Half a record would make the next one unreadable.
      await handle.truncate(size);
      throw error;
    }
  }

  async #makeRoom(files: readonly TargetFile[], target: string, bytes: number): Promise<void> {
    const shares = Map.groupBy(files, (file) => file.target);
    const shareOf = (name: string): number => sum(shares.get(name) ?? []) + (name === target ? bytes : 0);
    for (let left = sum(files) + bytes; left > this.#maxBytes;) {
      const names = [...shares.keys()].filter((name) => (shares.get(name)?.length ?? 0) > 0);
      const [largest] = names.toSorted((one, other) => shareOf(other) - shareOf(one));
      const oldest = shares.get(largest ?? "")?.shift();
      if (oldest === undefined) return;
      await rm(this.#pathOf(oldest.name), { force: true });
      left -= oldest.bytes;
    }
  }

  /** Resolves to the files, the oldest of each target first. */
  async #list(): Promise<readonly TargetFile[]> {
    const names = await readdir(this.#directory).catch(() => []);
    const files = await Promise.all(
      names.map(async (name): Promise<readonly TargetFile[]> => {
        const read = readRejectedName(name);
        return read === undefined ? [] : [{ name, ...read, bytes: await sizeOf(this.#pathOf(name)) }];
      }),
    );
    return files.flat().toSorted((one, other) => (one.number < other.number ? -1 : 1));
  }

  #pathOf(name: string): string {
    return path.join(this.#directory, name);
  }
}

function sum(files: readonly TargetFile[]): number {
  return files.reduce((total, { bytes }) => total + bytes, 0);
}

async function sizeOf(file: string): Promise<number> {
  const { size } = await stat(file).catch(() => ({ size: 0 }));
  return size;
}
