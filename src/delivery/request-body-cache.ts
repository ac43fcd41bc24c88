import { joinFrames } from "../spool/frame-payload.ts";
import type { Frame } from "../spool/spool.ts";

/**
 * Makes frames of a spool one body of one gzip member. Targets that keep up get the same frames at the same time and share
 * the body: it is made once, and kept as long as a request holds it.
 */
export class RequestBodyCache {
  /** By the numbers of their frames: those that are being made, and those that a request may still hold. */
  readonly #known = new Map<string, Promise<Uint8Array> | WeakRef<Uint8Array>>();

  /** Rejects when one of several frames is damaged. */
  async of(frames: readonly Frame[]): Promise<Uint8Array> {
    const key = frames.map(({ sequence }) => sequence).join();
    const known = this.#known.get(key);
    const shared = known instanceof WeakRef ? known.deref() : known;
    if (shared !== undefined) return shared;
    this.#forgetUnheld();
    const making = joinFrames(frames);
    this.#known.set(key, making);
    try {
      const body = await making;
      this.#known.set(key, new WeakRef(body));
      return body;
    } catch (error) {
      this.#known.delete(key);
      throw error;
    }
  }

  #forgetUnheld(): void {
    for (const [key, known] of this.#known)
      if (known instanceof WeakRef && known.deref() === undefined) this.#known.delete(key);
  }
}
