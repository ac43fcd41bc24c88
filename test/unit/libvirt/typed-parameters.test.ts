import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LibvirtError } from "../../../src/libvirt/errors.ts";
import { PARAMETER_TYPE } from "../../../src/libvirt/protocol.ts";
import { TypedParameterDecoder, writeTypedParameters } from "../../../src/libvirt/typed-parameters.ts";
import type { TypedValue } from "../../../src/libvirt/types.ts";
import { XdrReader, XdrWriter } from "../../../src/libvirt/xdr.ts";

const NAME = fc.string({ maxLength: 80, unit: "grapheme-ascii" });
const VALUE: fc.Arbitrary<TypedValue> = fc.oneof(
  fc.integer(),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  fc.bigInt(-(2n ** 63n), 2n ** 64n - 1n),
  fc.double().filter((value) => !Object.is(value, -0)),
  fc.boolean(),
  fc.string(),
);

function encode(params: ReadonlyMap<string, TypedValue>): Buffer {
  const writer = new XdrWriter();
  writeTypedParameters(writer, params);
  return writer.bytes();
}

void test("parameters come back by name, value and kind, from a decoder that has seen others before", () => {
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

void test("names that share a place in the table do not take each other's spelling", () => {
  const decoder = new TypedParameterDecoder();
  // More names than the table has places, twice, so that each place is taken over many times.
  const names = Array.from({ length: 10_000 }, (_, index) => `block.${index}.rd.bytes`);
  const params = new Map(names.map((name, index) => [name, BigInt(index)]));
  for (let round = 0; round < 2; round++) {
    assert.deepEqual(decoder.read(new XdrReader(encode(params))), params);
  }
});

void test("a name of 80 bytes is read, one of 81 is a fault", () => {
  const decode = (length: number): number =>
    new TypedParameterDecoder().read(new XdrReader(encode(new Map([["n".repeat(length), 1]])))).size;
  assert.equal(decode(80), 1);
  assert.throws(() => decode(81), /81 bytes, more than 80/);
});

void test("a type that nobody knows is a fault, because its value has no known length", () => {
  const bytes = new XdrWriter().uint(1).string("cpu.time").uint(8).int(0).bytes();
  assert.throws(() => new TypedParameterDecoder().read(new XdrReader(bytes)), LibvirtError);
});

void test("a boolean that a daemon sends as another number than 1 is true", () => {
  const bytes = new XdrWriter().uint(1).string("vcpu.0.halted").uint(PARAMETER_TYPE.BOOLEAN).int(-1).bytes();
  assert.deepEqual(new TypedParameterDecoder().read(new XdrReader(bytes)), new Map([["vcpu.0.halted", true]]));
});

void test("more parameters than the protocol allows are refused by their count alone", () => {
  const bytes = new XdrWriter().uint(262_145).bytes();
  assert.throws(() => new TypedParameterDecoder().read(new XdrReader(bytes)), /262145 items, more than 262144/);
});
