const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
const INITIAL_BYTES = 64 * 1024;
/** Longest text of a number with its separators. */
const NUMBER_BYTES = 32;
/** Names of fields are part of this program, except those of a family that takes them from libvirt. */
const MAX_KNOWN_KEYS = 1_024;

/** Bytes of characters. */
const [SPACE, MINUS, ZERO, INTEGER] = [0x20, 0x2d, 0x30, 0x69] as const;

/** A power of ten whose integers are small for the processor. Two parts below it make every safe integer. */
const SMALL_DIGITS = 8;
const SMALL = 10 ** SMALL_DIGITS;

/** Counts what the encoder changed or left out because line protocol cannot represent it. Cumulative. */
export interface LineCounters {
  clampedIntegers: number;
  omittedFloats: number;
  /** Tags and texts. */
  sanitizedTags: number;
  /** Parameters that `vm_raw` leaves out. */
  omittedParameters: number;
}

export function newLineCounters(): LineCounters {
  return { clampedIntegers: 0, omittedFloats: 0, sanitizedTags: 0, omittedParameters: 0 };
}

interface LinePosition {
  readonly bytes: number;
  readonly lines: number;
}

/**
 * Writes InfluxDB line protocol into one growing buffer: `begin`, any number of fields, `end`. A line without fields is
 * not written. The buffer is reused in each cycle. Bytes are written by the program itself, without strings in between: they
 * were most of the garbage of a cycle. `PlainLineWriter` in the tests is the same in a few lines.
 */
export class LineWriter {
  #buffer = Buffer.allocUnsafe(INITIAL_BYTES);
  /** End of the last whole line. */
  #length = 0;
  /** End of the line that is being written. */
  #at = 0;
  #lines = 0;
  #fields = 0;
  readonly #keys = new Map<string, Uint8Array>();
  #end: { readonly timestampMs: number; readonly bytes: Uint8Array } = { timestampMs: Number.NaN, bytes: bytesOf("") };
  readonly #counters: LineCounters;

  constructor(counters: LineCounters) {
    this.#counters = counters;
  }

  /** Begins a line. `series` is the measurement with its tags, escaped. */
  begin(series: string): void {
    this.#at = this.#length;
    this.#fields = 0;
    this.#text(series);
  }

  /** `key` must not need escaping. Values outside int64 are clamped and counted: InfluxDB 1 has no larger integer. */
  integer(key: string, value: bigint | number): void {
    this.#key(key);
    const number = Number(value);
    // A safe integer is exact as a number, also if it was a bigint.
    if (Number.isSafeInteger(number)) this.#digits(number);
    else this.#text(String(this.#clamped(value)));
    this.#buffer[this.#at++] = INTEGER;
  }

  /** Leaves out and counts NaN and infinities, because line protocol cannot represent them. */
  float(key: string, value: number): void {
    if (!Number.isFinite(value)) {
      this.#counters.omittedFloats++;
      return;
    }
    this.#key(key);
    this.#text(String(value));
  }

  string(key: string, value: string): void {
    this.#key(key);
    this.#text(`"${value.replace(/["\\]/g, "\\$&")}"`);
  }

  boolean(key: string, value: boolean): void {
    this.#key(key);
    this.#text(String(value));
  }

  /** Ends the line. `timestampMs` is in milliseconds since the epoch and is written in nanoseconds. */
  end(timestampMs: number): void {
    if (this.#fields === 0) return;
    if (timestampMs !== this.#end.timestampMs) this.#end = { timestampMs, bytes: bytesOf(` ${timestampMs}000000\n`) };
    this.#bytes(this.#end.bytes);
    this.#length = this.#at;
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

  /** Writes the separator, the key and the equals sign, and makes room for a number. */
  #key(key: string): void {
    const start = this.#at;
    this.#bytes(this.#keys.get(key) ?? this.#keyBytes(key));
    if (this.#fields++ === 0) this.#buffer[start] = SPACE;
  }

  #keyBytes(key: string): Uint8Array {
    const bytes = bytesOf(`,${key}=`);
    if (this.#keys.size < MAX_KNOWN_KEYS) this.#keys.set(key, bytes);
    return bytes;
  }

  /** Returns a value within the range of int64, and counts one that was not. */
  #clamped(value: bigint | number): bigint | number {
    if (value <= INT64_MAX && value >= INT64_MIN) return value;
    if (Number.isNaN(value)) return value;
    this.#counters.clampedIntegers++;
    return value > 0 ? INT64_MAX : INT64_MIN;
  }

  /** Writes the digits of a safe integer. There must be room for them. */
  #digits(value: number): void {
    if (value < 0) this.#buffer[this.#at++] = MINUS;
    const absolute = Math.abs(value);
    if (absolute < SMALL) {
      this.#smallDigits(absolute, digitsOf(absolute));
      return;
    }
    // Both parts are small enough for the integer arithmetic of the processor.
    let high = Math.floor(absolute / SMALL);
    let low = absolute - high * SMALL;
    // The quotient was rounded up.
    if (low < 0) {
      high--;
      low += SMALL;
    }
    this.#smallDigits(high, digitsOf(high));
    this.#smallDigits(low, SMALL_DIGITS);
  }

  /** Writes an integer below SMALL with this number of digits. */
  #smallDigits(value: number, digits: number): void {
    const buffer = this.#buffer;
    const start = this.#at;
    let rest = value | 0;
    for (let at = start + digits - 1; at >= start; at--) {
      const quotient = (rest / 10) | 0;
      buffer[at] = ZERO + rest - quotient * 10;
      rest = quotient;
    }
    this.#at = start + digits;
  }

  #text(text: string): void {
    // UTF-8 has at most three bytes for a UTF-16 unit.
    this.#reserve(text.length * 3 + NUMBER_BYTES);
    this.#at += this.#buffer.write(text, this.#at, "utf8");
  }

  /** Writes a few bytes, and makes room for a number: a loop is faster than a copy by the system. */
  #bytes(bytes: Uint8Array): void {
    const { length } = bytes;
    this.#reserve(length + NUMBER_BYTES);
    const buffer = this.#buffer;
    const at = this.#at;
    for (let index = 0; index < length; index++) buffer[at + index] = bytes[index] ?? 0;
    this.#at = at + length;
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#at);
    this.#buffer = grown;
  }
}

/** Returns the number of digits of an integer below SMALL. */
function digitsOf(value: number): number {
  let digits = 1;
  for (let rest = (value / 10) | 0; rest > 0; rest = (rest / 10) | 0) digits++;
  return digits;
}

const encoder = new TextEncoder();

/** Returns an array of the one type that the loop over it is compiled for. */
function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}
