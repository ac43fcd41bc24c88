/** A point of line protocol. Integers are exact. */
export interface Point {
  readonly measurement: string;
  /** In the order of the line. */
  readonly tags: ReadonlyMap<string, string>;
  readonly fields: ReadonlyMap<string, bigint | number | string | boolean>;
  /** Nanoseconds since the epoch. */
  readonly timestamp: bigint;
}

const INT64_MAX = 2n ** 63n - 1n;
const MAX_SERIES_BYTES = 65_535;
/** Tag keys that InfluxDB 2 reserves; it accepts others that begin with an underscore. */
const RESERVED_KEYS = ["time", "_field", "_measurement"];

/**
 * Returns the points of a line-protocol text. It is a little stricter than the strictest InfluxDB: every line must have a
 * timestamp and end with a newline. Throws an Error that names the line.
 */
export function parseLines(text: string): Point[] {
  if (text !== "" && !text.endsWith("\n")) throw new Error("the last line does not end with a newline");
  return text
    .split("\n")
    .slice(0, -1)
    .map((line, index) => {
      try {
        return new LineParser(line).parse();
      } catch (error) {
        throw new Error(
          `line ${index + 1}: ${error instanceof Error ? error.message : String(error)}: ${line.slice(0, 300)}`,
          { cause: error },
        );
      }
    });
}

class LineParser {
  readonly #line: string;
  #at = 0;

  constructor(line: string) {
    this.#line = line;
  }

  parse(): Point {
    const measurement = this.#text(", ");
    if (measurement === "" || measurement.startsWith("_"))
      throw new Error("a measurement must not be empty or begin with an underscore");
    const tags = this.#tags();
    if (Buffer.byteLength(this.#line.slice(0, this.#at)) > MAX_SERIES_BYTES) throw new Error("the series is too long");
    this.#expect(" ");
    const fields = this.#fields();
    this.#expect(" ");
    const timestamp = this.#line.slice(this.#at);
    if (!/^-?\d{1,19}$/.test(timestamp)) throw new Error("the timestamp is not a number of nanoseconds");
    return { measurement, tags, fields, timestamp: BigInt(timestamp) };
  }

  #tags(): Map<string, string> {
    const tags = new Map<string, string>();
    while (this.#peek() === ",") {
      this.#at++;
      const key = this.#text(",= ");
      this.#expect("=");
      const value = this.#text(",= ");
      if (key === "" || value === "") throw new Error("a tag has an empty key or value");
      if (RESERVED_KEYS.includes(key)) throw new Error(`the tag key ${key} is reserved`);
      if (tags.has(key)) throw new Error(`the tag ${key} is given twice`);
      tags.set(key, value);
    }
    return tags;
  }

  #fields(): Map<string, bigint | number | string | boolean> {
    const fields = new Map<string, bigint | number | string | boolean>();
    do {
      const key = this.#text(",= ");
      if (key === "" || key === "time") throw new Error("a field key is empty or `time`");
      this.#expect("=");
      if (fields.has(key)) throw new Error(`the field ${key} is given twice`);
      fields.set(key, this.#peek() === '"' ? this.#quoted() : scalar(this.#text(", ")));
    } while (this.#peek() === "," && this.#at++ >= 0);
    return fields;
  }

  /** Returns the text up to one of the terminators; a backslash escapes a terminator. */
  #text(terminators: string): string {
    let text = "";
    for (let char = this.#peek(); char !== undefined && !terminators.includes(char); char = this.#peek()) {
      const next = this.#line[this.#at + 1];
      if (char === "\\" && next !== undefined && ", =".includes(next)) {
        // When it looks for the end of the line, InfluxDB reads the two backslashes as one escaped backslash.
        if (text.endsWith("\\")) throw new Error("a backslash stands before an escaped character");
        text += next;
        this.#at += 2;
      } else {
        text += char;
        this.#at++;
      }
    }
    if (text.endsWith("\\")) throw new Error("a backslash stands at the end of a name or value");
    return text;
  }

  #quoted(): string {
    let text = "";
    for (this.#at++; this.#peek() !== '"'; this.#at++) {
      if (this.#peek() === undefined) throw new Error("a string is not closed");
      const next = this.#line[this.#at + 1];
      if (this.#peek() === "\\" && (next === '"' || next === "\\")) this.#at++;
      text += this.#peek() ?? "";
    }
    this.#at++;
    return text;
  }

  #peek(): string | undefined {
    return this.#line[this.#at];
  }

  #expect(char: string): void {
    if (this.#peek() !== char) throw new Error(`expected \`${char}\` at column ${this.#at + 1}`);
    this.#at++;
  }
}

function scalar(text: string): bigint | number | boolean {
  if (/^-?\d+i$/.test(text)) {
    const value = BigInt(text.slice(0, -1));
    if (value > INT64_MAX || value < -INT64_MAX - 1n) throw new Error(`${text} is no int64`);
    return value;
  }
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Number(text);
  if (/^(t|true|f|false)$/i.test(text)) return /^t/i.test(text);
  throw new Error(`${text} is not a field value`);
}
