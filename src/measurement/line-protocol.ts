const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
const INITIAL_BYTES = 64 * 1024;

/** Counts what the encoder changed or left out because line protocol cannot represent it. Cumulative. */
export interface LineCounters {
  clampedIntegers: number;
  omittedFloats: number;
  sanitizedTags: number;
}

export function newLineCounters(): LineCounters {
  return { clampedIntegers: 0, omittedFloats: 0, sanitizedTags: 0 };
}

interface LinePosition {
  readonly bytes: number;
  readonly lines: number;
}

/**
 * Writes InfluxDB line protocol into one growing buffer: `begin`, any number of fields, `end`. A line without fields is
 * not written. The buffer is reused in each cycle. A line is one string until it is complete, because V8 joins and
 * encodes it faster than a native write for every field.
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

  /** Begins a line. `series` is the measurement with its tags, escaped. */
  begin(series: string): void {
    this.#line = series;
    this.#fields = 0;
  }

  /** `key` must not need escaping. Values outside int64 are clamped and counted: InfluxDB 1 has no larger integer. */
  integer(key: string, value: bigint | number): void {
    let exact: bigint | number = value;
    if (exact > INT64_MAX || exact < INT64_MIN) {
      exact = exact > 0 ? INT64_MAX : INT64_MIN;
      this.#counters.clampedIntegers++;
    }
    this.#line += `${this.#separator()}${key}=${exact}i`;
  }

  /** Leaves out and counts NaN and infinities, because line protocol cannot represent them. */
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

  /** Ends the line. `timestampMs` is in milliseconds since the epoch and is written in nanoseconds. */
  end(timestampMs: number): void {
    if (this.#fields === 0) return;
    this.#append(`${this.#line} ${timestampMs}000000\n`);
    this.#lines++;
  }

  /** Position of the next line, for `rewind`. */
  get position(): LinePosition {
    return { bytes: this.#length, lines: this.#lines };
  }

  /** Removes the lines after a position, which must be from after the last `take`. */
  rewind({ bytes, lines }: LinePosition): void {
    this.#length = bytes;
    this.#lines = lines;
  }

  /** Returns a copy of the lines since the last call, and empties the buffer. */
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
    // UTF-8 has at most three bytes for a UTF-16 unit.
    const needed = this.#length + text.length * 3;
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, this.#length);
      this.#buffer = grown;
    }
    this.#length += this.#buffer.write(text, this.#length, "utf8");
  }
}
