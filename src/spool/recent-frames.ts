import { Queue } from "../lib/queue.ts";
import type { BufferedFrame } from "./buffered-frame.ts";
import type { DropReason } from "./losses.ts";

/**
 * The newest frames of a durable spool, kept in memory for two purposes: a target that keeps up does not read the disk, and
 * frames that the disk does not accept are not lost.
 */
export class RecentFrames {
  readonly #maxBytes: number;
  readonly #frames = new Queue<BufferedFrame>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(buffered: BufferedFrame): void {
    this.#frames.push(buffered);
    this.#bytes += buffered.frame.payload.length;
  }

  /**
   * Removes unused frames from the old end, and needed ones above the limit. A needed frame that is not on disk is dropped
   * with reason `disk`.
   */
  trim(): void {
    for (let oldest = this.#frames.first; oldest !== undefined; oldest = this.#frames.first) {
      if (oldest.consumers.size > 0 && this.#bytes <= this.#maxBytes) return;
      this.#shift("disk");
    }
  }

  /** Drops frames older than this that exist only in memory; frames on disk expire with their segment. */
  expire(beforeMs: number): void {
    for (let oldest = this.#frames.first; oldest !== undefined; oldest = this.#frames.first) {
      if (oldest.location !== undefined || oldest.monotonicMs >= beforeMs) return;
      this.#shift("age");
    }
  }

  #shift(reason: DropReason): void {
    const buffered = this.#frames.shift();
    if (buffered === undefined) return;
    this.#bytes -= buffered.frame.payload.length;
    for (const consumer of buffered.consumers) {
      if (buffered.location === undefined) consumer.dropFrame(buffered, reason);
      else consumer.evict(buffered);
    }
    buffered.consumers.clear();
  }
}
