import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LibvirtError } from "../../../src/libvirt/errors.ts";
import { PARAMETER_TYPE } from "../../../src/libvirt/protocol.ts";
import { TypedParameterDecoder, writeTypedParameters } from "../../../src/libvirt/typed-parameters.ts";
import { Double, type TypedValue } from "../../../src/libvirt/types.ts";
import { XdrReader, XdrWriter } from "../../../src/libvirt/xdr.ts";

const NAME = fc.string({ maxLength: 80, unit: "grapheme-ascii" });
const VALUE: fc.Arbitrary<TypedValue> = fc.oneof(
  fc.integer(),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  fc.bigInt(-(2n ** 63n), 2n ** 64n - 1n),
  fc.double().map((value) => new Double(value)),
  fc.boolean(),
  fc.string(),
);

function encode(params: ReadonlyMap<string, TypedValue>): Buffer {
  const writer = new XdrWriter();
  writeTypedParameters(writer, params);
  return writer.bytes();
}

void test("written parameters are read with the same names, values and types", () => {
  const decoder = new TypedParameterDecoder();
  fc.assert(
    fc.property(fc.array(fc.tuple(NAME, VALUE)), (entries) => {
      const params = new Map(entries);
      const reader = new XdrReader(encode(params));
      assert.deepEqual(decoder.read(reader), params);
      reader.expectEnd();
    }),
  );
});

void test("counters above 2^53 are exact", () => {
  const params = new Map(
    [2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n)].map((value, index) => [
      `c${index}`,
      value,
    ]),
  );
  assert.deepEqual(new TypedParameterDecoder().read(new XdrReader(encode(params))), params);
});

void test("names that share a slot of the table are not confused", () => {
  const decoder = new TypedParameterDecoder();
  // More names than the table has slots, twice: most find their slot taken.
  const names = Array.from({ length: 10_000 }, (_, index) => `block.${index}.rd.bytes`);
  const params = new Map(names.map((name, index) => [name, BigInt(index)]));
  for (let round = 0; round < 2; round++) {
    assert.deepEqual(decoder.read(new XdrReader(encode(params))), params);
  }
});

void test("a name of 80 bytes is read, one of 81 bytes is an error", () => {
  const decode = (length: number): number =>
    new TypedParameterDecoder().read(new XdrReader(encode(new Map([["n".repeat(length), 1]])))).size;
  assert.equal(decode(80), 1);
  assert.throws(() => decode(81), /81 bytes, more than 80/);
});

void test("an unknown type is an error, because the length of its value is unknown", () => {
  const bytes = new XdrWriter().uint(1).string("cpu.time").uint(8).int(0).bytes();
  assert.throws(() => new TypedParameterDecoder().read(new XdrReader(bytes)), LibvirtError);
});

void test("a boolean other than 0 and 1 is true", () => {
  const bytes = new XdrWriter().uint(1).string("vcpu.0.halted").uint(PARAMETER_TYPE.BOOLEAN).int(-1).bytes();
  assert.deepEqual(new TypedParameterDecoder().read(new XdrReader(bytes)), new Map([["vcpu.0.halted", true]]));
});

void test("too many parameters are rejected by their count", () => {
  const bytes = new XdrWriter().uint(262_145).bytes();
  assert.throws(() => new TypedParameterDecoder().read(new XdrReader(bytes)), /262145 items, more than 262144/);
});
