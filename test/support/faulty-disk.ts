import { open, type FileHandle } from "node:fs/promises";
import type { OpenFile } from "../../src/spool/segment-log.ts";

type Call = "open" | "writev" | "datasync";

/** Opens real files that fail on demand. */
export class FaultyDisk {
  /** The code of the error that a call throws; undefined: the call works. */
  readonly errors: Partial<Record<Call, string | undefined>> = {};
  /** Most bytes that one write accepts. */
  maxWriteBytes = Infinity;
  /** A sync waits for this promise. */
  hanging: Promise<void> = Promise.resolve();

  readonly open: OpenFile = async (path, flags, mode) => {
    this.#fail("open");
    return this.#faulty(await open(path, flags, mode));
  };

  #faulty(file: FileHandle): FileHandle {
    const methods: Readonly<Record<string, unknown>> = {
      writev: async (buffers: readonly NodeJS.ArrayBufferView[], position?: number) => {
        this.#fail("writev");
        return file.writev(this.#part(buffers), position);
      },
      datasync: async () => {
        this.#fail("datasync");
        await this.hanging;
        await file.datasync();
      },
    };
    return new Proxy(file, {
      get: (target, name) => {
        const own = typeof name === "string" ? methods[name] : undefined;
        const value: unknown = own ?? Reflect.get(target, name, target);
        return typeof value === "function" ? (value as () => unknown).bind(target) : value;
      },
    });
  }

  #part(buffers: readonly NodeJS.ArrayBufferView[]): NodeJS.ArrayBufferView[] {
    if (this.maxWriteBytes === Infinity) return [...buffers];
    const bytes = Buffer.concat(
      buffers.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength)),
    );
    return [bytes.subarray(0, this.maxWriteBytes)];
  }

  #fail(call: Call): void {
    const code = this.errors[call];
    if (code !== undefined) throw Object.assign(new Error(`${code}: ${call}`), { code });
  }
}
