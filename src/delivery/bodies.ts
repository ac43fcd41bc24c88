import type { Frame } from "../spool/spool.ts";

/**
 * Makes frames of a spool one body. Targets that keep up get the same frames at the same time, and share it: to make a copy
 * for each, and to collect it again, was half of what a further target cost.
 */
export class Bodies {
  /** The numbers of its frames. */
  #key = "";
  /** Gone as soon as no request holds it. */
  #body: WeakRef<Uint8Array> | undefined;

  of(frames: readonly Frame[]): Uint8Array {
    const key = frames.map(({ sequence }) => sequence).join();
    const known = key === this.#key ? this.#body?.deref() : undefined;
    if (known !== undefined) return known;
    const body = Buffer.concat(frames.map(({ payload }) => payload));
    this.#key = key;
    this.#body = new WeakRef(body);
    return body;
  }
}
