import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";

/** A file system counts the time of a change in steps. A file that has just changed can change again in the same step. */
const SETTLED_MS = 2_000;

/** A small file that is read again and again. As long as it does not change, a read costs one system call. */
export class PolledFile {
  readonly #path: string;
  readonly #maxBytes: number;
  #known: { readonly version: string; readonly text: string } | undefined;

  constructor(path: string, maxBytes: number) {
    this.#path = path;
    this.#maxBytes = maxBytes;
  }

  /** Resolves to the current text. Rejects with a system error, or if the file has more than `maxBytes`. */
  async read(): Promise<string> {
    const { dev, ino, size, ctimeNs, ctimeMs } = await stat(this.#path, { bigint: true });
    const version = [dev, ino, size, ctimeNs].join();
    if (this.#known?.version === version) return this.#known.text;
    this.#known = undefined;
    const text = await this.#readWhole();
    if (Date.now() - Number(ctimeMs) > SETTLED_MS) this.#known = { version, text };
    return text;
  }

  async #readWhole(): Promise<string> {
    const chunks = (await createReadStream(this.#path, { end: this.#maxBytes }).toArray()) as Buffer[];
    const bytes = Buffer.concat(chunks);
    if (bytes.length > this.#maxBytes) throw new Error(`it has more than ${this.#maxBytes} bytes`);
    return bytes.toString("utf8");
  }
}
