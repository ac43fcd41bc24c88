import { overLimit } from "./errors.ts";
import type { Steps } from "./decode-queue.ts";
import { LaidOutParameters, ParameterLayouts, type KnownName } from "./parameter-layouts.ts";
import { LIMIT, PARAMETER_TYPE } from "./protocol.ts";
import { Double, type TypedParameters, type TypedValue } from "./types.ts";
import { sameBytes, type XdrReader, type XdrWriter } from "./xdr.ts";

/** Smallest size of a parameter: an empty name, the type, four bytes of value. */
const PARAMETER_MIN_BYTES = 12;
/** Parameters that are decoded in one step; they take less than a millisecond. */
const STEP_PARAMETERS = 256;
/** Slots for field names. A host has some hundreds of different names, and each endpoint one table. */
const NAME_SLOTS = 1024;

/**
 * Decodes typed parameters. Field names repeat in every cycle, so a name is looked up by its bytes instead of decoded
 * again. The table has a fixed number of slots. A name whose slot has another one is decoded each time: replaced names would
 * cost more.
 */
export class TypedParameterDecoder {
  readonly #names: (KnownName | undefined)[] = new Array<KnownName | undefined>(NAME_SLOTS);
  readonly #layouts = new ParameterLayouts();

  read(reader: XdrReader, maximum?: number): TypedParameters {
    const params = new Map<string, TypedValue>();
    this.#readInto(params, reader, readParameterCount(reader, maximum));
    return params;
  }

  /**
   * Reads the `count` parameters of the domain at this position of a reply, a part of them in each step. The names of a domain's
   * statistics are nearly always those of the last cycle, in the same order. As long as they are, they are only compared, and the
   * values go into an array.
   */
  *readInSteps(reader: XdrReader, count: number, position: number): Steps<TypedParameters> {
    const layout = this.#layouts.find(position, count);
    // Of the size that it gets, because an array that grows is copied several times.
    const values = new Array<TypedValue>(layout === undefined ? 0 : count);
    let known = 0;
    while (layout !== undefined && known < count) {
      const end = Math.min(count, known + STEP_PARAMETERS);
      while (known < end && isNext(reader, layout.names[known])) values[known++] = readValue(reader);
      if (known < end) break;
      yield;
    }
    if (layout !== undefined && known === count) {
      this.#layouts.record(position, layout);
      return new LaidOutParameters(layout.index, values);
    }
    const first = values.slice(0, known);
    const params = new Map(first.map((value, index) => [layout?.names[index]?.text ?? "", value] as const));
    for (let left = count - known; left > 0; left -= STEP_PARAMETERS) {
      this.#readInto(params, reader, Math.min(left, STEP_PARAMETERS));
      yield;
    }
    this.#layouts.learn(position, params, count, (name) => this.#known(name));
    return params;
  }

  #readInto(params: Map<string, TypedValue>, reader: XdrReader, count: number): void {
    for (let index = 0; index < count; index++) {
      const name = this.#name(reader);
      params.set(name, readValue(reader));
    }
  }

  #name(reader: XdrReader): string {
    const { start, end } = reader.span(LIMIT.FIELD_NAME);
    const { buffer } = reader;
    const slot = slotOf(buffer, start, end);
    const known = this.#names[slot];
    if (known !== undefined && sameBytes(known.bytes, buffer, start, end)) return known.text;
    const text = buffer.toString("utf8", start, end);
    this.#names[slot] ??= { bytes: Buffer.from(buffer.subarray(start, end)), text };
    return text;
  }

  /** Returns a name of the table; undefined if its slot has another one. */
  #known(text: string): KnownName | undefined {
    const bytes = Buffer.from(text);
    const known = this.#names[slotOf(bytes, 0, bytes.length)];
    return known?.text === text ? known : undefined;
  }
}

function slotOf(buffer: Buffer, start: number, end: number): number {
  let hash = 0;
  for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + (buffer[at] ?? 0)) | 0;
  return hash & (NAME_SLOTS - 1);
}

/** Returns whether the next name is this one, and skips it then. */
function isNext(reader: XdrReader, name: KnownName | undefined): boolean {
  return name !== undefined && reader.skipIfOpaque(name.bytes);
}

/**
 * Returns the number of parameters that follow.
 * @throws {LibvirtError} E_LIBVIRT_LIMIT if there are more than `maximum`
 */
export function readParameterCount(reader: XdrReader, maximum = Number.POSITIVE_INFINITY): number {
  const count = reader.arrayLength(LIMIT.PARAMETERS, PARAMETER_MIN_BYTES);
  if (count > maximum) throw overLimit("Parameters", "libvirt sends a reply with more typed parameters than allowed");
  return count;
}

function readValue(reader: XdrReader): TypedValue {
  const type = reader.uint();
  switch (type) {
    case PARAMETER_TYPE.INT:
      return reader.int();
    case PARAMETER_TYPE.UINT:
      return reader.uint();
    case PARAMETER_TYPE.LLONG:
      return reader.hyper();
    case PARAMETER_TYPE.ULLONG:
      return reader.uhyper();
    case PARAMETER_TYPE.DOUBLE:
      return new Double(reader.double());
    case PARAMETER_TYPE.BOOLEAN:
      return reader.int() !== 0;
    case PARAMETER_TYPE.STRING:
      return reader.string(LIMIT.STRING);
    default:
      throw reader.fault(`a typed parameter has the unknown type ${type}`);
  }
}

/**
 * Writes typed parameters. A bigint becomes an unsigned 64-bit integer, as libvirt's counters are, or a signed one if
 * negative. A number becomes a 32-bit integer.
 */
export function writeTypedParameters(writer: XdrWriter, params: TypedParameters): void {
  writer.array([...params], ([name, value]) => {
    writer.string(name);
    if (typeof value === "string") writer.uint(PARAMETER_TYPE.STRING).string(value);
    else if (typeof value === "boolean") writer.uint(PARAMETER_TYPE.BOOLEAN).bool(value);
    else if (typeof value === "bigint") {
      if (value < 0n) writer.uint(PARAMETER_TYPE.LLONG).hyper(value);
      else writer.uint(PARAMETER_TYPE.ULLONG).uhyper(value);
    } else if (value instanceof Double) writer.uint(PARAMETER_TYPE.DOUBLE).double(value.value);
    else if (value < 0) writer.uint(PARAMETER_TYPE.INT).int(value);
    else writer.uint(PARAMETER_TYPE.UINT).uint(value);
  });
}
