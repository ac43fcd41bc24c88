import { LibvirtError } from "./errors.ts";

/** Returns the length padded to four bytes, as XDR (RFC 4506) requires. Correct up to the largest length word. */
function padded(length: number): number {
  return length + (-length & 3);
}

/** Encodes big-endian XDR into one growing buffer. */
export class XdrWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(initialBytes = 256) {
    this.#buffer = Buffer.allocUnsafe(initialBytes);
  }

  get length(): number {
    return this.#length;
  }

  /** Returns a view of the written bytes, valid until the next write. */
  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  int(value: number): this {
    const at = this.#reserve(4);
    this.#buffer.writeInt32BE(value, at);
    return this;
  }

  uint(value: number): this {
    const at = this.#reserve(4);
    this.#buffer.writeUInt32BE(value >>> 0, at);
    return this;
  }

  hyper(value: bigint): this {
    const at = this.#reserve(8);
    this.#buffer.writeBigInt64BE(value, at);
    return this;
  }

  uhyper(value: bigint): this {
    const at = this.#reserve(8);
    this.#buffer.writeBigUInt64BE(value, at);
    return this;
  }

  double(value: number): this {
    const at = this.#reserve(8);
    this.#buffer.writeDoubleBE(value, at);
    return this;
  }

  bool(value: boolean): this {
    return this.int(value ? 1 : 0);
  }

  fixedOpaque(bytes: Uint8Array): this {
    const at = this.#reservePadded(bytes.length);
    this.#buffer.set(bytes, at);
    return this;
  }

  string(text: string): this {
    const length = Buffer.byteLength(text);
    const at = this.uint(length).#reservePadded(length);
    this.#buffer.write(text, at);
    return this;
  }

  /** Writes a pointer; undefined is an absent one. */
  optional<Value>(value: Value | undefined, write: (value: Value) => void): this {
    this.bool(value !== undefined);
    if (value !== undefined) write(value);
    return this;
  }

  array<Item>(items: readonly Item[], write: (item: Item) => void): this {
    this.uint(items.length);
    for (const item of items) write(item);
    return this;
  }

  /** Overwrites four written bytes at an offset, such as a length that was unknown before. */
  patchUint(at: number, value: number): void {
    this.#buffer.writeUInt32BE(value, at);
  }

  /** Grows the content by `size` bytes. Returns the offset at which they begin. */
  #reserve(size: number): number {
    const at = this.#length;
    if (at + size > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(at + size, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, at);
      this.#buffer = grown;
    }
    this.#length = at + size;
    return at;
  }

  #reservePadded(length: number): number {
    const size = padded(length);
    const at = this.#reserve(size);
    // A loop over at most three bytes is faster than a native call.
    for (let padding = at + length; padding < at + size; padding++) this.#buffer[padding] = 0;
    return at;
  }
}

/**
 * Decodes a buffer without copying it. Every length is checked against its bound and against the remaining bytes before
 * memory is allocated for it.
 * @throws {LibvirtError} E_LIBVIRT_PROTOCOL, from every method
 */
export class XdrReader {
  #buffer: Buffer;
  #start: number;
  #at: number;
  #end: number;
  /** Of the buffer: it makes one bigint of a value, where Buffer makes four. */
  #view: DataView | undefined;

  constructor(buffer: Buffer, start = 0, end = buffer.length) {
    this.#buffer = buffer;
    this.#start = start;
    this.#at = start;
    this.#end = end;
  }

  /** The bytes that offsets of `span` and `skip` refer to. `detach` replaces it. */
  get buffer(): Buffer {
    return this.#buffer;
  }

  get remaining(): number {
    return this.#end - this.#at;
  }

  int(): number {
    return this.#buffer.readInt32BE(this.skip(4));
  }

  uint(): number {
    return this.#buffer.readUInt32BE(this.skip(4));
  }

  hyper(): bigint {
    return this.#bytes.getBigInt64(this.skip(8));
  }

  uhyper(): bigint {
    return this.#bytes.getBigUint64(this.skip(8));
  }

  double(): number {
    return this.#buffer.readDoubleBE(this.skip(8));
  }

  bool(): boolean {
    const value = this.int();
    if (value !== 0 && value !== 1) throw this.fault(`a boolean is ${value}`);
    return value === 1;
  }

  fixedOpaque(length: number): Buffer {
    const at = this.skip(padded(length));
    return this.#buffer.subarray(at, at + length);
  }

  /** Reads the length of a string or opaque and skips its bytes. Returns where they begin and end. */
  span(maximum: number): { readonly start: number; readonly end: number } {
    const length = this.uint();
    if (length > maximum) throw this.fault(`a string or opaque has ${length} bytes, more than ${maximum}`);
    const start = this.skip(padded(length));
    return { start, end: start + length };
  }

  /** Skips a string or opaque if it has exactly these bytes. Returns whether it has. */
  skipIfOpaque(bytes: Uint8Array): boolean {
    const { length } = bytes;
    const start = this.#at + 4;
    const end = start + padded(length);
    if (end > this.#end || this.#buffer.readUInt32BE(this.#at) !== length) return false;
    if (!sameBytes(bytes, this.#buffer, start, start + length)) return false;
    this.#at = end;
    return true;
  }

  /** Skips these bytes if they are the next ones. Returns whether they are. */
  skipIf(bytes: Uint8Array): boolean {
    const end = this.#at + bytes.length;
    if (end > this.#end || !sameBytes(bytes, this.#buffer, this.#at, end)) return false;
    this.#at = end;
    return true;
  }

  string(maximum: number): string {
    const { start, end } = this.span(maximum);
    return this.#buffer.toString("utf8", start, end);
  }

  optional<Value>(read: () => Value): Value | undefined {
    return this.bool() ? read() : undefined;
  }

  /** Reads the length of an array. `minimumSize`, the least bytes of an item, lets it reject a length that cannot fit. */
  arrayLength(maximum: number, minimumSize: number): number {
    const length = this.uint();
    if (length > maximum) throw this.fault(`an array has ${length} items, more than ${maximum}`);
    if (length * minimumSize > this.remaining) throw this.fault(`an array of ${length} items does not fit`);
    return length;
  }

  array<Item>(maximum: number, minimumSize: number, read: () => Item): Item[] {
    const length = this.arrayLength(maximum, minimumSize);
    const items: Item[] = [];
    for (let index = 0; index < length; index++) items.push(read());
    return items;
  }

  /** Copies the unread bytes, so that they can be read after the buffer has other content. */
  detach(): void {
    const read = this.#at - this.#start;
    this.#buffer = Buffer.from(this.#buffer.subarray(this.#at, this.#end));
    this.#view = undefined;
    this.#start = -read;
    this.#at = 0;
    this.#end = this.#buffer.length;
  }

  /** Throws unless all bytes are read. */
  expectEnd(): void {
    if (this.remaining > 0) throw this.fault(`${this.remaining} bytes are left over`);
  }

  /** Skips `size` bytes. Returns where they begin. */
  skip(size: number): number {
    const at = this.#at;
    if (size > this.#end - at) throw this.fault(`${size} bytes are needed and ${this.#end - at} are left`);
    this.#at = at + size;
    return at;
  }

  get #bytes(): DataView {
    return (this.#view ??= new DataView(this.#buffer.buffer, this.#buffer.byteOffset, this.#buffer.length));
  }

  fault(what: string): LibvirtError {
    return new LibvirtError("E_LIBVIRT_PROTOCOL", `malformed XDR at byte ${this.#at - this.#start}: ${what}`);
  }
}

/** Returns whether this part of a buffer has exactly these bytes. For a few bytes a loop is faster than a copy or a native call. */
export function sameBytes(bytes: Uint8Array, buffer: Buffer, start: number, end: number): boolean {
  if (bytes.length !== end - start) return false;
  for (let index = 0; index < bytes.length; index++) if (bytes[index] !== buffer[start + index]) return false;
  return true;
}
