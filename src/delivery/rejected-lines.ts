import { mkdir, open, rename, stat } from "node:fs/promises";
import path from "node:path";
import type { Clock } from "../lib/clock.ts";
import { TaskQueue } from "../lib/task-queue.ts";
import { countLines, type Rejection } from "./rejection.ts";

/** The newer file. When it is full it replaces the older one. */
const NEWER = "rejected.jsonl";
const OLDER = "rejected.1.jsonl";
const MAX_FILE_BYTES = 8 << 20;
/** Bound on the records that are queued for a slow disk. */
const MAX_QUEUED_BYTES = 4 << 20;
/** How long delivery waits for a slow disk. */
const WRITE_TIMEOUT_MS = 1_000;

/** Records the lines that a target rejects for good. */
export interface RejectedSink {
  /** Resolves when the lines are recorded, or when that failed. Never rejects. */
  write(target: string, rejections: readonly Rejection[]): Promise<void>;
}

export interface RejectedStats {
  /** Lines that were written to the files. Older ones may have been deleted since. */
  readonly keptLines: number;
  /** Lines that could not be written. */
  readonly lostLines: number;
  /** Size of both files; 0 until it is measured. */
  readonly fileBytes: number;
}

export interface RejectedLinesOptions {
  readonly directory: string;
  readonly clock: Clock;
  /** Maximum size of each of the two files. */
  readonly maxFileBytes?: number;
}

/**
 * Writes rejected lines to files, so that an operator can inspect and repair them: one JSON object for each line, with time,
 * target, reason and the line. There are two files of bounded size. If a write fails, only these records are lost.
 */
export class RejectedLines implements RejectedSink {
  readonly #options: RejectedLinesOptions;
  readonly #writing = new TaskQueue();
  #queuedBytes = 0;
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

  async write(target: string, rejections: readonly Rejection[]): Promise<void> {
    const lines = countLines(rejections);
    const time = new Date(this.#options.clock.now()).toISOString();
    const size = rejections.reduce((sum, { bytes, reason }) => sum + (bytes?.length ?? 0) + reason.length, 0);
    if (this.#queuedBytes + size > MAX_QUEUED_BYTES) {
      this.#lostLines += lines;
      return;
    }
    this.#queuedBytes += size;
    const written = this.#writing.run(async () => {
      const kept = await this.#append(recordsOf(time, target, rejections)).catch(() => false);
      this.#queuedBytes -= size;
      if (kept) this.#keptLines += lines;
      else this.#lostLines += lines;
      await this.#measure();
    });
    await this.#withTimeout(written);
  }

  /** Resolves when all records are written or lost, or after a second. */
  async close(): Promise<void> {
    await this.#withTimeout(this.#writing.run(() => Promise.resolve()));
  }

  async #withTimeout(done: Promise<void>): Promise<void> {
    const waited = new AbortController();
    await Promise.race([done, this.#options.clock.sleep(WRITE_TIMEOUT_MS, waited.signal)]);
    waited.abort();
  }

  async #measure(): Promise<void> {
    const sizes = await Promise.all([NEWER, OLDER].map((name) => sizeOf(path.join(this.#options.directory, name))));
    this.#fileBytes = sizes.reduce((sum, size) => sum + size, 0);
  }

  /** Resolves to whether the records are in the file. */
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
      // Half a record would make the next one unreadable.
      await handle.truncate(size);
      return false;
    }
  }
}

async function sizeOf(file: string): Promise<number> {
  const { size } = await stat(file).catch(() => ({ size: 0 }));
  return size;
}

function recordsOf(time: string, target: string, rejections: readonly Rejection[]): Buffer {
  const records = rejections.flatMap(({ lines, reason, bytes }): readonly object[] => {
    if (bytes === undefined) return [{ time, target, reason, lines }];
    const texts = Buffer.from(bytes).toString().split("\n").filter(Boolean);
    return texts.map((line) => ({ time, target, reason, line }));
  });
  return Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(""));
}
