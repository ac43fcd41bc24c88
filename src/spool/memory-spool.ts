import type { Clock } from "../lib/clock.ts";
import { TaskQueue } from "../lib/task-queue.ts";
import type { BufferedFrame } from "./buffered-frame.ts";
import { splitBatch } from "./batch-parts.ts";
import { compressLines } from "./gzip-member.ts";
import { LossCount } from "./losses.ts";
import type { LineBatch, Spool, SpoolCaps, SpoolCursor, SpoolStats } from "./spool.ts";
import { TargetCursor, type CursorHost } from "./target-cursor.ts";

/** A spool in memory: it bridges outages of targets, but its lines do not survive the end of the process. */
export class MemorySpool implements Spool {
  readonly #clock: Clock;
  readonly #cursors = new Map<string, TargetCursor>();
  /** Frames that a target still needs, oldest first. */
  readonly #frames = new Set<BufferedFrame>();
  readonly #losses = new LossCount();
  /** Runs one append at a time, so that frames reach the cursors in the order of their sequence numbers. */
  readonly #appends = new TaskQueue();
  readonly #host: CursorHost;
  #caps: SpoolCaps;
  #nextSequence = 0n;
  #bytes = 0;
  #appendedLines = 0;
  #appendedBytes = 0;

  constructor(caps: SpoolCaps, clock: Clock) {
    this.#caps = caps;
    this.#clock = clock;
    this.#host = {
      log: undefined,
      expire: () => {
        this.#enforceCaps();
      },
      unused: (buffered) => {
        this.#remove(buffered);
      },
      lost: (reason, lines) => {
        this.#losses.add(reason, lines);
      },
    };
  }

  /** Drops at once what is over the new caps. */
  set caps(caps: SpoolCaps) {
    this.#caps = caps;
    this.#enforceCaps();
  }

  get stats(): SpoolStats {
    return {
      frames: this.#frames.size,
      bytes: this.#bytes,
      appendedLines: this.#appendedLines,
      appendedBytes: this.#appendedBytes,
      droppedLines: this.#losses.lines,
      losses: this.#losses.byReason,
    };
  }

  append(batch: LineBatch, targets?: readonly string[]): Promise<void> {
    return this.#appends.run(() => this.#append(batch, targets));
  }

  cursor(target: string): SpoolCursor {
    let cursor = this.#cursors.get(target);
    if (cursor === undefined) {
      cursor = new TargetCursor(target, this.#nextSequence, this.#host);
      this.#cursors.set(target, cursor);
    }
    return cursor;
  }

  removeCursor(target: string): void {
    this.#cursors.get(target)?.clear(this.#nextSequence);
    this.#cursors.delete(target);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #append(batch: LineBatch, targets: readonly string[] | undefined): Promise<void> {
    const [createdAtMs, monotonicMs] = [this.#clock.now(), this.#clock.monotonic()];
    for (const { lines, bytes } of batch.lines === 0 ? [] : splitBatch(batch)) {
      // Lines without a target are not compressed.
      const payload = this.#consumers(targets).size === 0 ? undefined : await compressLines(bytes);
      this.#appendedLines += lines;
      // Cursors may have been removed during the compression.
      const consumers = this.#consumers(targets);
      if (payload === undefined || consumers.size === 0) continue;
      const frame = { sequence: this.#nextSequence++, lines, rawBytes: bytes.length, createdAtMs, payload };
      this.#add({ frame, monotonicMs, consumers, location: undefined });
    }
  }

  #add(buffered: BufferedFrame): void {
    const consumers = [...buffered.consumers];
    this.#frames.add(buffered);
    this.#bytes += buffered.frame.payload.length;
    this.#appendedBytes += buffered.frame.payload.length;
    for (const consumer of consumers) consumer.push(buffered);
    this.#enforceCaps();
    for (const consumer of consumers) consumer.wake();
  }

  #remove(buffered: BufferedFrame): void {
    if (this.#frames.delete(buffered)) this.#bytes -= buffered.frame.payload.length;
  }

  #consumers(targets: readonly string[] | undefined): Set<TargetCursor> {
    return new Set(
      targets === undefined ? this.#cursors.values() : targets.flatMap((target) => this.#cursors.get(target) ?? []),
    );
  }

  #enforceCaps(): void {
    const { maxBytes, maxAgeMs } = this.#caps;
    const expireBeforeMs = this.#clock.monotonic() - maxAgeMs;
    for (const buffered of this.#frames) {
      const isOld = buffered.monotonicMs < expireBeforeMs;
      if (!isOld && this.#bytes <= maxBytes) return;
      for (const consumer of buffered.consumers) consumer.dropFrame(buffered, isOld ? "age" : "cap");
      buffered.consumers.clear();
      this.#remove(buffered);
    }
  }
}
