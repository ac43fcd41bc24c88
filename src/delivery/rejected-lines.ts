import type { Clock } from "../lib/clock.ts";
import { TaskQueue } from "../lib/task-queue.ts";
import { within } from "../lib/within.ts";
import { RejectedFiles } from "./rejected-files.ts";
import { countLines, type Rejection } from "./rejection.ts";

const MAX_BYTES = 16 << 20;
/** Bound on the lines that are queued for a slow disk. The lines of one batch may exceed it: they are in memory anyway. */
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
  /** Size of all files; 0 until it is measured. */
  readonly fileBytes: number;
}

export interface RejectedLinesOptions {
  readonly directory: string;
  readonly clock: Clock;
  /** Maximum size of all files. */
  readonly maxBytes?: number;
}

/**
 * Writes rejected lines to files, so that an operator can inspect and repair them: one JSON object for each line, with time,
 * target, reason and the line. The files have a bounded size together, of which each target has its share. If a write fails, only
 * these records are lost.
 */
export class RejectedLines implements RejectedSink {
  readonly #clock: Clock;
  readonly #files: RejectedFiles;
  readonly #writing = new TaskQueue();
  #queuedBytes = 0;
  #keptLines = 0;
  #lostLines = 0;

  constructor({ directory, clock, maxBytes = MAX_BYTES }: RejectedLinesOptions) {
    this.#clock = clock;
    this.#files = new RejectedFiles(directory, maxBytes);
    void this.#writing.run(() => this.#files.measure());
  }

  get stats(): RejectedStats {
    return { keptLines: this.#keptLines, lostLines: this.#lostLines, fileBytes: this.#files.bytes };
  }

  async write(target: string, rejections: readonly Rejection[]): Promise<void> {
    const time = new Date(this.#clock.now()).toISOString();
    const size = rejections.reduce((sum, { bytes, reason }) => sum + (bytes?.length ?? 0) + reason.length, 0);
    if (this.#queuedBytes >= MAX_QUEUED_BYTES) {
      this.#lostLines += countLines(rejections);
      return;
    }
    this.#queuedBytes += size;
    const written = this.#writing.run(async () => {
      const records = recordsOf(time, target, rejections);
      for (const piece of piecesOf(records, this.#files.maxFileBytes)) await this.#append(target, piece);
      this.#queuedBytes -= size;
      await this.#files.measure();
    });
    await within(written, WRITE_TIMEOUT_MS, this.#clock);
  }

  /** Resolves when all records are written or lost, or after a second. */
  async close(): Promise<void> {
    await within(
      this.#writing.run(() => Promise.resolve()),
      WRITE_TIMEOUT_MS,
      this.#clock,
    );
  }

  async #append(target: string, { text, lines }: Records): Promise<void> {
    try {
      await this.#files.append(target, Buffer.from(text));
      this.#keptLines += lines;
    } catch {
      this.#lostLines += lines;
    }
  }
}

/** Records as a text, and the number of rejected lines that they stand for. */
interface Records {
  readonly text: string;
  readonly lines: number;
}

/** Yields one record at a time, as the records of a large batch need more memory than its lines. */
function* recordsOf(time: string, target: string, rejections: readonly Rejection[]): Generator<Records> {
  for (const { lines, reason, bytes } of rejections) {
    if (bytes === undefined) {
      yield { text: textOf({ time, target, reason, lines }), lines };
      continue;
    }
    const texts = Buffer.from(bytes).toString().split("\n").filter(Boolean);
    // If it is unknown which of them are rejected, there are more texts than rejected lines.
    for (const [index, line] of texts.entries())
      yield { text: textOf({ time, target, reason, line }), lines: index < lines ? 1 : 0 };
  }
}

function textOf(record: object): string {
  return `${JSON.stringify(record)}\n`;
}

/** Yields the records in pieces of at most `maxBytes`. A larger record is a piece of its own. */
function* piecesOf(records: Iterable<Records>, maxBytes: number): Generator<Records> {
  let [texts, bytes, lines]: [string[], number, number] = [[], 0, 0];
  for (const record of records) {
    const size = Buffer.byteLength(record.text);
    if (texts.length > 0 && bytes + size > maxBytes) {
      yield { text: texts.join(""), lines };
      [texts, bytes, lines] = [[], 0, 0];
    }
    texts.push(record.text);
    bytes += size;
    lines += record.lines;
  }
  if (texts.length > 0) yield { text: texts.join(""), lines };
}
