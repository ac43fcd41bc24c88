import { mkdir, open, rename, stat } from "node:fs/promises";
import path from "node:path";
import type { Clock } from "../lib/clock.ts";
import { TaskQueue } from "../lib/task-queue.ts";
import { countLines, type Rejection } from "./rejection.ts";

/** The newer of the two; at its full size it takes the place of the older. */
const NEWER = "rejected.jsonl";
const OLDER = "rejected.1.jsonl";
const MAX_FILE_BYTES = 8 << 20;
/** What waits for a disk that is slow. */
const MAX_WAITING_BYTES = 4 << 20;
/** A disk that hangs is not waited for. */
const PATIENCE_MS = 1_000;

/** Takes lines that a target refuses for good. */
export interface RejectedSink {
  /** Resolves when they are on record, or are not going to be. */
  write(target: string, refusals: readonly Rejection[]): Promise<void>;
}

export interface RejectedStats {
  /** Lines that are, or were, in the files, and lines that never were. */
  readonly keptLines: number;
  readonly lostLines: number;
  /** What both files take, once it is known. */
  readonly fileBytes: number;
}

export interface RejectedLinesOptions {
  readonly directory: string;
  readonly clock: Clock;
  /** Of each of the two files. */
  readonly maxFileBytes?: number;
}

/**
 * Keeps what targets refuse for good, for someone to look at and perhaps to repair: one JSON object for each line, with
 * time, target, reason and the line. Two files of bounded size; a disk that does not take them costs nothing else.
 */
export class RejectedLines implements RejectedSink {
  readonly #options: RejectedLinesOptions;
  readonly #writing = new TaskQueue();
  #waitingBytes = 0;
  #keptLines = 0;
  #lostLines = 0;
  #fileBytes = 0;

  constructor(options: RejectedLinesOptions) {
    this.#options = options;
    void this.#writing.run(() => this.#measure());
  }

  get stats(): RejectedStats {
    return { keptLines: this.#keptLines, lostLines: this.#lostLines, fileBytes: this.#fileBytes };
  }

  async write(target: string, refusals: readonly Rejection[]): Promise<void> {
    const lines = countLines(refusals);
    const time = new Date(this.#options.clock.now()).toISOString();
    const size = refusals.reduce((sum, { bytes, reason }) => sum + (bytes?.length ?? 0) + reason.length, 0);
    if (this.#waitingBytes + size > MAX_WAITING_BYTES) {
      this.#lostLines += lines;
      return;
    }
    this.#waitingBytes += size;
    const written = this.#writing.run(async () => {
      const kept = await this.#append(recordsOf(time, target, refusals)).catch(() => false);
      this.#waitingBytes -= size;
      if (kept) this.#keptLines += lines;
      else this.#lostLines += lines;
      await this.#measure();
    });
    await this.#patiently(written);
  }

  /** Resolves when everything that was given is in the files, or lost. */
  async close(): Promise<void> {
    await this.#patiently(this.#writing.run(() => Promise.resolve()));
  }

  async #patiently(done: Promise<void>): Promise<void> {
    const waited = new AbortController();
    await Promise.race([done, this.#options.clock.sleep(PATIENCE_MS, waited.signal)]);
    waited.abort();
  }

  async #measure(): Promise<void> {
    const sizes = await Promise.all([NEWER, OLDER].map((name) => sizeOf(path.join(this.#options.directory, name))));
    this.#fileBytes = sizes.reduce((sum, size) => sum + size, 0);
  }

  /** Resolves to whether they are in the file. */
  async #append(records: Buffer): Promise<boolean> {
    const { directory, maxFileBytes = MAX_FILE_BYTES } = this.#options;
    if (records.length > maxFileBytes) return false;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const file = path.join(directory, NEWER);
    const before = await sizeOf(file);
    if (before + records.length > maxFileBytes) await rename(file, path.join(directory, OLDER));
    await using handle = await open(file, "a", 0o600);
    const { size } = await handle.stat();
    try {
      await handle.writeFile(records);
      return true;
    } catch {
      // Half a record would spoil the one after it.
      await handle.truncate(size);
      return false;
    }
  }
}

async function sizeOf(file: string): Promise<number> {
  const { size } = await stat(file).catch(() => ({ size: 0 }));
  return size;
}

function recordsOf(time: string, target: string, refusals: readonly Rejection[]): Buffer {
  const records = refusals.flatMap(({ lines, reason, bytes }): readonly object[] => {
    if (bytes === undefined) return [{ time, target, reason, lines }];
    const texts = Buffer.from(bytes).toString().split("\n").filter(Boolean);
    return texts.map((line) => ({ time, target, reason, line }));
  });
  return Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(""));
}
