import type { Frame, ReadLimits } from "./spool.ts";

/** Collects the frames of one read: as many as fit the limits, but at least one. */
export class ReadBatch {
  readonly #limits: ReadLimits;
  readonly #frames: Frame[] = [];
  #lines = 0;
  #rawBytes = 0;
  #full = false;

  constructor(limits: ReadLimits) {
    this.#limits = limits;
  }

  get frames(): readonly Frame[] {
    return this.#frames;
  }

  /** Whether a frame did not fit. No later frame fits then, because frames are read in order. */
  get full(): boolean {
    return this.#full;
  }

  /** Returns whether this frame fits, and marks the batch as full if not. */
  fits({ lines, rawBytes }: Omit<Frame, "payload">): boolean {
    const { maxLines, maxRawBytes } = this.#limits;
    const over = this.#lines + lines > maxLines || this.#rawBytes + rawBytes > maxRawBytes;
    if (over && this.#frames.length > 0) this.#full = true;
    return !this.#full;
  }

  add(frame: Frame): void {
    this.#frames.push(frame);
    this.#lines += frame.lines;
    this.#rawBytes += frame.rawBytes;
  }
}
