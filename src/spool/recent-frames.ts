import { Queue } from "../lib/queue.ts";
import type { Kept } from "./kept.ts";
import type { DropReason } from "./losses.ts";

/** The newest frames, which readers that keep up need not read from the disk; and those that the disk did not take. */
export class RecentFrames {
  readonly #maxBytes: number;
  readonly #frames = new Queue<Kept>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(kept: Kept): void {
    this.#frames.push(kept);
    this.#bytes += kept.frame.payload.length;
  }

  /** Lets go of what nobody needs and of what is too much, from the oldest on. What is not on disk is lost then. */
  trim(): void {
    for (let oldest = this.#frames.first; oldest !== undefined; oldest = this.#frames.first) {
      if (oldest.readers.size > 0 && this.#bytes <= this.#maxBytes) return;
      this.#shift("disk");
    }
  }

  /** Gives up what is older and not on disk; who is on disk ages with its segment. */
  expire(bornBefore: number): void {
    for (let oldest = this.#frames.first; oldest !== undefined; oldest = this.#frames.first) {
      if (oldest.place !== undefined || oldest.bornAtMs >= bornBefore) return;
      this.#shift("age");
    }
  }

  #shift(reason: DropReason): void {
    const kept = this.#frames.shift();
    if (kept === undefined) return;
    this.#bytes -= kept.frame.payload.length;
    for (const reader of kept.readers) {
      if (kept.place === undefined) reader.lose(kept, reason);
      else reader.evict(kept);
    }
    kept.readers.clear();
  }
}
