const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
/** `{` and `[`, `}` and `]`. */
const OPENING: readonly number[] = [0x7b, 0x5b];
const CLOSING: readonly number[] = [0x7d, 0x5d];

/** Bytes to read. The metadata come before the spec, and their annotations have at most 256 KiB. */
const MAX_BYTES = 1 << 20;
/** Depth of the fields of the metadata. */
const DEPTH = 2;
/** One more than a name has, so that a longer one does not pass. */
const MAX_LENGTH = 254;
const NAME = /^[a-z0-9][a-z0-9.-]{0,252}$/;

/**
 * Returns `namespace/name` of an object of the API whose JSON text may be cut off; undefined if the beginning does not have
 * both. It reads only the fields of `metadata`: labels and annotations can have the same keys.
 */
export function nameInPrefix(parts: readonly Buffer[]): string | undefined {
  const json = Buffer.concat(parts).subarray(0, MAX_BYTES);
  const scanner = new MetadataScanner();
  for (let at = 0; at < json.length; at++) {
    const byte = json[at] ?? 0;
    if (byte !== QUOTE) {
      scanner.structure(byte);
      continue;
    }
    const start = at + 1;
    at = endOfString(json, start);
    if (at === json.length) return undefined;
    if (scanner.depth <= DEPTH) scanner.string(json.toString("latin1", start, Math.min(at, start + MAX_LENGTH)));
    if (scanner.name !== undefined) return scanner.name;
  }
  return undefined;
}

/** Receives the structure of an object, and the strings of its first two levels. */
class MetadataScanner {
  depth = 0;
  readonly #fields = new Map<string, string>();
  #isValue = false;
  #section = "";
  #field = "";

  get name(): string | undefined {
    const [namespace = "", name = ""] = [this.#fields.get("namespace"), this.#fields.get("name")];
    return NAME.test(namespace) && NAME.test(name) ? `${namespace}/${name}` : undefined;
  }

  structure(byte: number): void {
    if (OPENING.includes(byte)) this.depth++;
    else if (CLOSING.includes(byte)) this.depth--;
    if (byte === COLON) this.#isValue = true;
    else if (byte === COMMA || OPENING.includes(byte)) this.#isValue = false;
  }

  string(text: string): void {
    if (!this.#isValue && this.depth === 1) this.#section = text;
    else if (!this.#isValue) this.#field = text;
    else if (this.depth === DEPTH && this.#section === "metadata") this.#fields.set(this.#field, text);
  }
}

/** Returns the position of the quote that ends a string; the length if it is cut off. */
function endOfString(json: Buffer, start: number): number {
  for (let at = start; at < json.length; at++) {
    if (json[at] === BACKSLASH) at++;
    else if (json[at] === QUOTE) return at;
  }
  return json.length;
}
