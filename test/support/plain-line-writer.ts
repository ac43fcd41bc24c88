import type { LineCounters } from "../../src/measurement/line-protocol.ts";

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** Line protocol in the plain way, one string for each line: what `LineWriter` is compared with. */
export class PlainLineWriter {
  readonly #counters: LineCounters;
  readonly #lines: string[] = [];
  #line = "";
  #fields: string[] = [];

  constructor(counters: LineCounters) {
    this.#counters = counters;
  }

  begin(series: string): void {
    this.#line = series;
    this.#fields = [];
  }

  integer(key: string, value: bigint | number): void {
    let exact: bigint | number = value;
    if (exact > INT64_MAX || exact < INT64_MIN) {
      exact = exact > 0 ? INT64_MAX : INT64_MIN;
      this.#counters.clampedIntegers++;
    }
    this.#fields.push(`${key}=${exact}i`);
  }

  float(key: string, value: number): void {
    if (Number.isFinite(value)) this.#fields.push(`${key}=${value}`);
    else this.#counters.omittedFloats++;
  }

  string(key: string, value: string): void {
    this.#fields.push(`${key}="${value.replace(/["\\]/g, "\\$&")}"`);
  }

  end(timestampMs: number): void {
    if (this.#fields.length > 0) this.#lines.push(`${this.#line} ${this.#fields.join(",")} ${timestampMs}000000\n`);
  }

  take(): { readonly lines: number; readonly bytes: Uint8Array } {
    const lines = this.#lines.splice(0);
    return { lines: lines.length, bytes: Buffer.from(lines.join("")) };
  }
}
