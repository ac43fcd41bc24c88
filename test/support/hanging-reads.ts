import { open, type FileHandle } from "node:fs/promises";

type Read = FileHandle["read"];

/** Lets the reads of all files wait, as a slow disk or one that hangs does. */
export class HangingReads implements Disposable {
  readonly #prototype: { read: Read };
  readonly #original: Read;
  readonly #ended = Promise.withResolvers<undefined>();
  /** Number of reads that wait, or have waited. */
  waiting = 0;

  private constructor(prototype: { read: Read }, delay: (ended: Promise<undefined>) => Promise<unknown> | undefined) {
    const original = prototype.read;
    this.#prototype = prototype;
    this.#original = original;
    const wait = async (): Promise<void> => {
      const delayed = delay(this.#ended.promise);
      if (delayed !== undefined) this.waiting++;
      await delayed;
    };
    prototype.read = async function (this: FileHandle, ...args: unknown[]) {
      await wait();
      return Reflect.apply(original, this, args) as unknown;
    } as Read;
  }

  /** All reads after the first `after` ones hang until `end` is called. */
  static async begin(after = 0): Promise<HangingReads> {
    let reads = 0;
    return new HangingReads(await prototypeOfFiles(), (ended) => (reads++ < after ? undefined : ended));
  }

  /** Each read waits for this first. */
  static async slow(delay: () => Promise<unknown>): Promise<HangingReads> {
    return new HangingReads(await prototypeOfFiles(), delay);
  }

  end(): void {
    this.#prototype.read = this.#original;
    this.#ended.resolve(undefined);
  }

  [Symbol.dispose](): void {
    this.end();
  }
}

async function prototypeOfFiles(): Promise<{ read: Read }> {
  await using file = await open("/dev/null");
  return Object.getPrototypeOf(file) as { read: Read };
}
