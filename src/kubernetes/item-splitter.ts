import { BoundedText, MAX_OBJECT_BYTES, parseJson, type BodyReader } from "./body-reader.ts";
import { nameInPrefix } from "./name-in-prefix.ts";

/** Receives the elements of a list in their order. */
export interface ItemListener {
  item(item: unknown): void;
  /** An element has more than MAX_OBJECT_BYTES and is left out. `name` is its `namespace/name`, if that is readable. */
  tooLarge(name: string | undefined): void;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Matches the end of a JSON text that ends at the start of the items. */
const ITEMS_START = /[{,]\s*"items"\s*:\s*\[$/;
/** Depth of the array of items: the list is an object around it. */
const ITEMS_DEPTH = 2;

/**
 * Splits the JSON text of a list into its items while the bytes arrive. It holds the text of one item, never of the list:
 * an API server can answer a list without pages, as it does from its cache. The value of the body is the list with an empty
 * `items`.
 *
 * All characters that structure JSON are ASCII, so it splits bytes. It finds only where items begin and end; JSON.parse
 * checks them.
 */
export class ItemSplitter implements BodyReader {
  readonly #listener: ItemListener;
  /** The list without its items. */
  readonly #list = new BoundedText("a list without its items");
  #item: Buffer[] = [];
  #itemBytes = 0;
  /** Of an item that is too large. */
  #name: string | undefined;
  #peakBytes = 0;
  #depth = 0;
  #inItems = false;
  #anyItem = false;
  #inString = false;
  #escaped = false;

  constructor(listener: ItemListener) {
    this.#listener = listener;
  }

  /** The most bytes of text that were held at one time. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let at = 0; at < chunk.length; at++) {
      const mark = this.#advance(chunk[at] ?? 0);
      if (mark === undefined) continue;
      const end = mark === "array" ? at + 1 : at;
      this.#hold(chunk.subarray(start, end));
      start = mark === "comma" ? at + 1 : end;
      if (mark === "array") this.#inItems = ITEMS_START.test(this.#list.toString());
      else this.#endItem(mark === "end");
    }
    this.#hold(chunk.subarray(start));
  }

  end(): unknown {
    return parseJson(this.#list.toString());
  }

  /**
   * Moves one byte on. Returns `array` at the start of an array that may be the items, `comma` between two items and `end`
   * at the end of the items.
   */
  #advance(byte: number): "array" | "comma" | "end" | undefined {
    if (this.#inString) this.#advanceInString(byte);
    else if (byte === QUOTE) this.#inString = true;
    else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      this.#depth++;
      if (byte === OPEN_ARRAY && this.#depth === ITEMS_DEPTH && !this.#inItems) return "array";
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      this.#depth--;
      if (this.#inItems && this.#depth < ITEMS_DEPTH) return "end";
    } else if (byte === COMMA && this.#inItems && this.#depth === ITEMS_DEPTH) return "comma";
    return undefined;
  }

  #advanceInString(byte: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (byte === BACKSLASH) this.#escaped = true;
    else if (byte === QUOTE) this.#inString = false;
  }

  #hold(part: Buffer): void {
    if (this.#inItems) {
      this.#itemBytes += part.length;
      if (this.#itemBytes > MAX_OBJECT_BYTES) this.#dropItem(part);
      else if (part.length > 0) this.#item.push(part);
    } else this.#list.push(part);
    const held = this.#list.bytes + (this.#itemBytes > MAX_OBJECT_BYTES ? 0 : this.#itemBytes);
    this.#peakBytes = Math.max(this.#peakBytes, held);
  }

  /** Keeps only the name of an item that is too large. */
  #dropItem(part: Buffer): void {
    if (this.#itemBytes - part.length <= MAX_OBJECT_BYTES) this.#name = nameInPrefix([...this.#item, part]);
    this.#item = [];
  }

  #endItem(last: boolean): void {
    const bytes = this.#itemBytes;
    const text = Buffer.concat(this.#item).toString("utf8");
    const isEmptyList = last && !this.#anyItem && text.trim() === "" && bytes <= MAX_OBJECT_BYTES;
    this.#item = [];
    this.#itemBytes = 0;
    this.#anyItem = !last;
    this.#inItems = !last;
    if (bytes > MAX_OBJECT_BYTES) this.#listener.tooLarge(this.#name);
    else if (!isEmptyList) this.#listener.item(parseJson(text));
  }
}
