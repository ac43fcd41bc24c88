import type { Clock } from "../lib/clock.ts";
import { compressLines, splitBatch } from "./frame-payload.ts";
import type { Frame, LineBatch, ReadLimits, Spool, SpoolCursor, SpoolStats } from "./spool.ts";

export interface SpoolCaps {
  /** Compressed bytes kept at most; the oldest frames give way. */
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}

/** A spool that does not outlive the process: it bridges outages of targets, up to its caps. */
export class MemorySpool implements Spool {
  readonly #clock: Clock;
  readonly #cursors = new Map<string, MemoryCursor>();
  readonly #log = new FrameLog();
  #caps: SpoolCaps;
  #appendedLines = 0;
  #droppedLines = 0;
  #appending = Promise.resolve();

  constructor(caps: SpoolCaps, clock: Clock) {
    this.#caps = caps;
    this.#clock = clock;
  }

  /** New caps hold from now on: what exceeds them is dropped at once. */
  set caps(caps: SpoolCaps) {
    this.#caps = caps;
    this.#enforceCaps();
  }

  get stats(): SpoolStats {
    const { frames, bytes } = this.#log.after(this.#log.first);
    return { frames, bytes, appendedLines: this.#appendedLines, droppedLines: this.#droppedLines };
  }

  append(batch: LineBatch): Promise<void> {
    // One after the other: a cursor must never pass a frame that is still being compressed.
    const appended = this.#appending.then(() => this.#append(batch));
    this.#appending = appended.catch(() => undefined);
    return appended;
  }

  cursor(target: string): SpoolCursor {
    let cursor = this.#cursors.get(target);
    if (cursor === undefined) {
      cursor = new MemoryCursor(this.#log, {
        expire: () => {
          this.#enforceCaps();
        },
        advanced: () => {
          this.#freeDelivered();
        },
      });
      this.#cursors.set(target, cursor);
    }
    return cursor;
  }

  removeCursor(target: string): void {
    this.#cursors.get(target)?.close();
    this.#cursors.delete(target);
    this.#freeDelivered();
  }

  async #append(batch: LineBatch): Promise<void> {
    const [createdAtMs, bornAtMs] = [this.#clock.now(), this.#clock.monotonic()];
    for (const { lines, bytes } of batch.lines === 0 ? [] : splitBatch(batch)) {
      // Nobody to deliver to: do not compress for the bin.
      const payload = this.#cursors.size === 0 ? undefined : await compressLines(bytes);
      this.#appendedLines += lines;
      if (payload !== undefined) this.#log.push({ lines, rawBytes: bytes.length, createdAtMs, payload }, bornAtMs);
      this.#freeDelivered();
      this.#enforceCaps();
      for (const cursor of this.#cursors.values()) cursor.wake();
    }
  }

  #freeDelivered(): void {
    let needed = this.#log.end;
    for (const { next } of this.#cursors.values()) if (next < needed) needed = next;
    while (this.#log.first < needed) this.#log.shift();
  }

  #enforceCaps(): void {
    const bornBefore = this.#clock.monotonic() - this.#caps.maxAgeMs;
    for (let oldest = this.#log.oldest; oldest !== undefined; oldest = this.#log.oldest) {
      if (this.#log.after(this.#log.first).bytes <= this.#caps.maxBytes && oldest.bornAtMs >= bornBefore) return;
      this.#droppedLines += oldest.frame.lines;
      for (const cursor of this.#cursors.values()) cursor.drop(oldest.frame);
      this.#log.shift();
    }
  }
}

interface Kept {
  readonly frame: Frame;
  /** On the monotonic clock: a step of the wall clock must not age a frame. */
  readonly bornAtMs: number;
  /** Sums over all frames before this one, so that a backlog is a difference and not a loop. */
  readonly linesBefore: number;
  readonly bytesBefore: number;
}

/** Frames with consecutive sequence numbers: from `first` up to, but without, `end`. */
class FrameLog {
  #kept: Kept[] = [];
  #end = 0n;
  #lines = 0;
  #bytes = 0;

  get first(): bigint {
    return this.#end - BigInt(this.#kept.length);
  }

  get end(): bigint {
    return this.#end;
  }

  get oldest(): Kept | undefined {
    return this.#kept[0];
  }

  push(frame: Omit<Frame, "sequence">, bornAtMs: number): void {
    this.#kept.push({
      frame: { sequence: this.#end, ...frame },
      bornAtMs,
      linesBefore: this.#lines,
      bytesBefore: this.#bytes,
    });
    this.#end++;
    this.#lines += frame.lines;
    this.#bytes += frame.payload.length;
  }

  shift(): void {
    this.#kept.shift();
  }

  at(sequence: bigint): Frame | undefined {
    return this.#kept[Number(sequence - this.first)]?.frame;
  }

  /** What there is from this frame on. */
  after(sequence: bigint): { frames: number; lines: number; bytes: number } {
    const kept = this.#kept[Number(sequence - this.first)];
    if (kept === undefined) return { frames: 0, lines: 0, bytes: 0 };
    return {
      frames: Number(this.#end - sequence),
      lines: this.#lines - kept.linesBefore,
      bytes: this.#bytes - kept.bytesBefore,
    };
  }
}

class MemoryCursor implements SpoolCursor {
  readonly #log: FrameLog;
  readonly #spool: { expire(): void; advanced(): void };
  readonly #waiting = new Set<() => void>();
  #next: bigint;
  #droppedLines = 0;
  #closed = false;

  constructor(log: FrameLog, spool: { expire(): void; advanced(): void }) {
    this.#log = log;
    this.#spool = spool;
    this.#next = log.end;
  }

  /** The sequence number of the first frame that is not acknowledged. */
  get next(): bigint {
    return this.#next;
  }

  get droppedLines(): number {
    return this.#droppedLines;
  }

  get backlog(): SpoolCursor["backlog"] {
    return this.#closed ? { frames: 0, lines: 0, bytes: 0 } : this.#log.after(this.#next);
  }

  get newest(): bigint | undefined {
    return this.backlog.frames === 0 ? undefined : this.#log.end - 1n;
  }

  read({ maxLines, maxRawBytes }: ReadLimits): Promise<readonly Frame[]> {
    this.#spool.expire();
    const frames: Frame[] = [];
    let lines = 0;
    let rawBytes = 0;
    for (let sequence = this.#next; !this.#closed; sequence++) {
      const frame = this.#log.at(sequence);
      if (frame === undefined) break;
      lines += frame.lines;
      rawBytes += frame.rawBytes;
      if (frames.length > 0 && (lines > maxLines || rawBytes > maxRawBytes)) break;
      frames.push(frame);
    }
    return Promise.resolve(frames);
  }

  acknowledge(sequence: bigint): void {
    if (sequence < this.#next || sequence >= this.#log.end) return;
    this.#next = sequence + 1n;
    this.#spool.advanced();
  }

  async ready(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.backlog.frames === 0) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          this.#waiting.delete(done);
          signal.removeEventListener("abort", done);
          resolve();
        };
        this.#waiting.add(done);
        signal.addEventListener("abort", done, { once: true });
      });
    }
  }

  wake(): void {
    for (const done of [...this.#waiting]) done();
  }

  drop(frame: Frame): void {
    if (frame.sequence < this.#next) return;
    this.#next = frame.sequence + 1n;
    this.#droppedLines += frame.lines;
  }

  close(): void {
    this.#closed = true;
  }
}
