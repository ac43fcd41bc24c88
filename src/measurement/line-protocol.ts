import type { LineCounters } from "./counters.ts";

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
const INITIAL_BYTES = 64 * 1024;

interface LinePosition {
  readonly bytes: number;
  readonly lines: number;
}

/**
 * Writes InfluxDB line protocol into one growing buffer: `begin`, any number of fields, `end`. A line without fields
 * leaves nothing behind. The buffer is reused from cycle to cycle, and a line is one string until it is whole, which
 * V8 joins and encodes faster than a native write for every field.
 */
export class LineWriter {
  #buffer = Buffer.allocUnsafe(INITIAL_BYTES);
  #length = 0;
  #lines = 0;
  #line = "";
  #fields = 0;
  readonly #counters: LineCounters;

  constructor(counters: LineCounters) {
    this.#counters = counters;
  }

  get lines(): number {
    return this.#lines;
  }

  /** `series` is the measurement and its tags, already escaped. */
  begin(series: string): void {
    this.#line = series;
    this.#fields = 0;
  }

  /** `key` must need no escaping. Values outside int64 are clamped and counted: InfluxDB 1 has no larger integer. */
  integer(key: string, value: bigint | number): void {
    let exact: bigint | number = value;
    if (exact > INT64_MAX || exact < INT64_MIN) {
      exact = exact > 0 ? INT64_MAX : INT64_MIN;
      this.#counters.clampedIntegers++;
    }
    this.#line += `${this.#separator()}${key}=${exact}i`;
  }

  /** NaN and the infinities have no form in line protocol: the field is left out and counted. */
  float(key: string, value: number): void {
    if (!Number.isFinite(value)) {
      this.#counters.omittedFloats++;
      return;
    }
    this.#line += `${this.#separator()}${key}=${value}`;
  }

  string(key: string, value: string): void {
    this.#line += `${this.#separator()}${key}="${value.replace(/["\\]/g, "\\$&")}"`;
  }

  /** `timestampMs` in milliseconds since the epoch; written in nanoseconds. */
  end(timestampMs: number): void {
    if (this.#fields === 0) return;
    this.#append(`${this.#line} ${timestampMs}000000\n`);
    this.#lines++;
  }

  /** Where the next line begins, for `rewind`. */
  get position(): LinePosition {
    return { bytes: this.#length, lines: this.#lines };
  }

  /** Removes the lines behind a position; `take` must not have been called since. */
  rewind({ bytes, lines }: LinePosition): void {
    this.#length = bytes;
    this.#lines = lines;
  }

  /** The lines since the last call, in a buffer of their own. */
  take(): { readonly lines: number; readonly bytes: Uint8Array } {
    const batch = { lines: this.#lines, bytes: Uint8Array.prototype.slice.call(this.#buffer, 0, this.#length) };
    this.#length = 0;
    this.#lines = 0;
    return batch;
  }

  #separator(): string {
    return this.#fields++ === 0 ? " " : ",";
  }

  #append(text: string): void {
    // UTF-8 takes at most three bytes for a UTF-16 unit.
    const needed = this.#length + text.length * 3;
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, this.#length);
      this.#buffer = grown;
    }
    this.#length += this.#buffer.write(text, this.#length, "utf8");
  }
}
