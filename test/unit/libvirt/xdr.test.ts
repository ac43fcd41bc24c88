import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LibvirtError } from "../../../src/libvirt/errors.ts";
import { XdrReader, XdrWriter } from "../../../src/libvirt/xdr.ts";
import { codePoint } from "../../support/code-point.ts";

const PROTOCOL_FAULT = (error: unknown): boolean =>
  error instanceof LibvirtError && error.code === "E_LIBVIRT_PROTOCOL";

const WELL_FORMED = fc.string({ unit: codePoint }).filter((text) => text.isWellFormed());

/** A value of each type. */
const ITEM = fc.oneof(
  fc.record({ kind: fc.constant("int" as const), value: fc.integer() }),
  fc.record({ kind: fc.constant("uint" as const), value: fc.integer({ min: 0, max: 2 ** 32 - 1 }) }),
  fc.record({ kind: fc.constant("hyper" as const), value: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n) }),
  fc.record({ kind: fc.constant("uhyper" as const), value: fc.bigInt(0n, 2n ** 64n - 1n) }),
  fc.record({ kind: fc.constant("double" as const), value: fc.double() }),
  fc.record({ kind: fc.constant("bool" as const), value: fc.boolean() }),
  fc.record({ kind: fc.constant("string" as const), value: WELL_FORMED }),
  fc.record({ kind: fc.constant("fixedOpaque" as const), value: fc.uint8Array() }),
  fc.record({ kind: fc.constant("strings" as const), value: fc.array(WELL_FORMED) }),
  fc.record({ kind: fc.constant("optional" as const), value: fc.option(fc.integer(), { nil: undefined }) }),
);
type Item = typeof ITEM extends fc.Arbitrary<infer Value> ? Value : never;

function write(writer: XdrWriter, item: Item): void {
  switch (item.kind) {
    case "int":
    case "uint":
    case "double":
      writer[item.kind](item.value);
      break;
    case "hyper":
    case "uhyper":
      writer[item.kind](item.value);
      break;
    case "bool":
      writer.bool(item.value);
      break;
    case "string":
      writer.string(item.value);
      break;
    case "fixedOpaque":
      writer.fixedOpaque(item.value);
      break;
    case "strings":
      writer.array(item.value, (text) => writer.string(text));
      break;
    case "optional":
      writer.optional(item.value, (value) => writer.int(value));
  }
}

function read(reader: XdrReader, item: Item): unknown {
  switch (item.kind) {
    case "int":
    case "uint":
    case "hyper":
    case "uhyper":
    case "double":
    case "bool":
      return reader[item.kind]();
    case "string":
      return reader.string(1_000);
    case "fixedOpaque":
      return new Uint8Array(reader.fixedOpaque(item.value.length));
    case "strings":
      return reader.array(1_000, 4, () => reader.string(1_000));
    case "optional":
      return reader.optional(() => reader.int());
  }
}

void test("every sequence of written values is read back completely", () => {
  fc.assert(
    fc.property(fc.array(ITEM), (items) => {
      const writer = new XdrWriter(1);
      for (const item of items) write(writer, item);
      assert.equal(writer.length % 4, 0);
      const reader = new XdrReader(writer.bytes());
      for (const item of items) assert.deepEqual(read(reader, item), item.value);
      reader.expectEnd();
    }),
  );
});

void test("every proper prefix of a sequence is a protocol error", () => {
  fc.assert(
    fc.property(fc.array(ITEM, { minLength: 1 }), fc.nat(), (items, cut) => {
      const writer = new XdrWriter();
      for (const item of items) write(writer, item);
      fc.pre(writer.length > 0);
      const reader = new XdrReader(writer.bytes(), 0, cut % writer.length);
      assert.throws(() => {
        for (const item of items) read(reader, item);
      }, PROTOCOL_FAULT);
    }),
  );
});

void test("values are big-endian with zero padding, as in RFC 4506", () => {
  const writer = new XdrWriter().int(-2).string("hello").uhyper(1n).bool(true);
  assert.equal(writer.bytes().toString("hex"), "fffffffe0000000568656c6c6f000000000000000000000100000001");
});

void test("a string longer than its bound is rejected before it is created", () => {
  const bytes = new XdrWriter().string("x".repeat(81)).bytes();
  assert.throws(() => new XdrReader(bytes).string(80), /81 bytes, more than 80/);
  assert.equal(new XdrReader(bytes).string(81), "x".repeat(81));
});

void test("an array count that cannot fit into the packet is rejected before an item is read", () => {
  const bytes = new XdrWriter().uint(16_000).uint(0).bytes();
  const item = (): never => assert.fail("an item was read");
  assert.throws(() => new XdrReader(bytes).array(16_384, 24, item), /array of 16000 items does not fit/);
  assert.throws(() => new XdrReader(bytes).array(100, 0, item), /16000 items, more than 100/);
});

void test("lengths near 2^32 do not overflow to small ones", () => {
  for (const length of [0xffff_ffff, 0xffff_fffd, 0x8000_0000, 0x7fff_ffff]) {
    const bytes = new XdrWriter().uint(length).uint(0).bytes();
    assert.throws(() => new XdrReader(bytes).string(0xffff_ffff), PROTOCOL_FAULT);
    assert.throws(() => new XdrReader(bytes).array(0xffff_ffff, 4, () => 0), PROTOCOL_FAULT);
  }
});

void test("errors for a wrong boolean and leftover bytes have their offset", () => {
  const bytes = new XdrWriter().int(7).int(2).bytes();
  const reader = new XdrReader(bytes, 4);
  assert.throws(() => reader.bool(), /at byte 4: a boolean is 2/);
  assert.throws(() => {
    new XdrReader(bytes, 4).expectEnd();
  }, /at byte 0: 4 bytes are left over/);
});
