import { KubeError } from "./kube-error.ts";

const NEWLINE = 10;

/** Cuts a stream of bytes into lines. What is kept of an unfinished line has a bound. */
export class LineSplitter {
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes of a line whose end has not come. */
  get unfinished(): number {
    return this.#length;
  }

  /**
   * The lines that end in this chunk, without their newline.
   * @throws {KubeError} E_KUBE_PROTOCOL for a line that is too long
   */
  *push(chunk: Buffer): Generator<string, void, undefined> {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      this.#add(chunk.subarray(start, end));
      start = end + 1;
      yield Buffer.concat(this.#parts).toString("utf8");
      this.#parts = [];
      this.#length = 0;
    }
    this.#add(chunk.subarray(start));
  }

  #add(part: Buffer): void {
    this.#length += part.length;
    if (this.#length > this.#maxBytes) {
      throw new KubeError("E_KUBE_PROTOCOL", `a line has more than ${this.#maxBytes} bytes`);
    }
    if (part.length > 0) this.#parts.push(part);
  }
}
