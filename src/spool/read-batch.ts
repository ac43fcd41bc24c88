import type { Frame, ReadLimits } from "./spool.ts";

/** Frames for one read: as many as the limits allow, but at least one. */
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

  /** A frame did not fit: the batch is done. */
  get full(): boolean {
    return this.#full;
  }

  /** Whether this frame still fits. */
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
