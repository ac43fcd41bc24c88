import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { finish } from "../../../src/libvirt/decode-queue.ts";
import { LaidOutParameters, ParameterLayouts } from "../../../src/libvirt/parameter-layouts.ts";
import {
  readParameterCount,
  TypedParameterDecoder,
  writeTypedParameters,
} from "../../../src/libvirt/typed-parameters.ts";
import { Double, type TypedParameters, type TypedValue } from "../../../src/libvirt/types.ts";
import { XdrReader, XdrWriter } from "../../../src/libvirt/xdr.ts";

type Pairs = readonly (readonly [string, TypedValue])[];

function wire(pairs: Pairs): Buffer {
  const writer = new XdrWriter();
  // Not a map, so that a name can repeat.
  writer.uint(pairs.length);
  for (const pair of pairs) {
    const one = new XdrWriter();
    writeTypedParameters(one, new Map([pair]));
    writer.fixedOpaque(one.bytes().subarray(4));
  }
  return Buffer.from(writer.bytes());
}

function decoded(decoder: TypedParameterDecoder, pairs: Pairs, position = 0): TypedParameters {
  const reader = new XdrReader(wire(pairs));
  const params = finish(decoder.readInSteps(reader, readParameterCount(reader), position));
  reader.expectEnd();
  return params;
}

const statistics = (more: number): Pairs => [
  ["state.state", 1],
  ["balloon.current", 2n ** 53n + BigInt(more)],
  ["net.count", more],
  ["net.0.name", `vnet${more}`],
  ["cpu.share", new Double(more + 0.5)],
];

test("the second reply with the same names needs no map, and has the same parameters", () => {
  const decoder = new TypedParameterDecoder();
  decoded(decoder, statistics(1));
  const params = decoded(decoder, statistics(2));
  assert.ok(params instanceof LaidOutParameters);
  assert.deepEqual([...params], statistics(2));
});

test("domains with other names in one reply each have a layout", () => {
  const decoder = new TypedParameterDecoder();
  const two = statistics(1).map(([name, value]) => [`other.${name}`, value] as const);
  for (let reply = 0; reply < 3; reply++)
    for (const [position, pairs] of [statistics(reply), two].entries()) {
      const params = decoded(decoder, pairs, position);
      assert.equal(params instanceof LaidOutParameters, reply > 0, `reply ${reply}`);
      assert.deepEqual([...params], pairs);
    }
});

test("a name that repeats has its last value, and the reply no layout", () => {
  const decoder = new TypedParameterDecoder();
  for (let reply = 0; reply < 3; reply++) {
    const params = decoded(decoder, [
      ["a", 1],
      ["b", 2],
      ["a", reply],
    ]);
    assert.ok(params instanceof Map);
    assert.deepEqual(
      [...params],
      [
        ["a", reply],
        ["b", 2],
      ],
    );
  }
});

test("layouts do not take more and more memory from a daemon that always sends other names", () => {
  const layouts = new ParameterLayouts();
  const known = (text: string): { readonly bytes: Buffer; readonly text: string } => ({
    bytes: Buffer.from(text),
    text,
  });
  let kept = 0;
  for (let reply = 0; reply < 100; reply++) {
    const count = 200 + reply;
    const params = new Map(Array.from({ length: count }, (_, index) => [`${reply}.${index}`, index]));
    layouts.learn(0, params, count, known);
    if (layouts.find(0, count) !== undefined) kept += count;
  }
  assert.ok(kept > 0 && kept <= 4_096, `${kept} names`);
});

const name = fc.constantFrom("a", "b", "cpu.time", "net.0.rx.bytes", "net.1.rx.bytes", "block.0.path", "ä");
const value = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  fc.boolean(),
  fc.string(),
  fc.double().map((share) => new Double(share)),
  fc.integer(),
);
const reply = fc.array(fc.tuple(name, value), { maxLength: 8 });

test("whatever came before, the parameters are those of a decoder that knows nothing", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(reply, fc.nat(2)), { maxLength: 12 }), (replies) => {
      const decoder = new TypedParameterDecoder();
      for (const [pairs, position] of replies.flatMap((one) => [one, one])) {
        const plain = new TypedParameterDecoder().read(new XdrReader(wire(pairs)));
        const params = decoded(decoder, pairs, position);
        assert.deepEqual([...params], [...plain]);
        assert.deepEqual([...params.keys()], [...plain.keys()]);
        assert.deepEqual([...params.values()], [...plain.values()]);
        assert.equal(params.size, plain.size);
        for (const key of ["a", "cpu.time", "absent"])
          assert.deepEqual([params.get(key), params.has(key)], [plain.get(key), plain.has(key)]);
      }
    }),
    { numRuns: 300 },
  );
});

test("a large reply of several steps may lose its buffer between them, also where its names change", () => {
  const names = Array.from({ length: 600 }, (_, index) => `net.${index}.rx.bytes`);
  const replies = [names, names, names.with(400, "other"), names.slice(0, 550), names];
  const decoder = new TypedParameterDecoder();
  for (const [turn, some] of replies.entries()) {
    const pairs = some.map((text, index) => [text, BigInt(turn * 1_000 + index)] as const);
    const bytes = wire(pairs);
    const reader = new XdrReader(bytes);
    const steps = decoder.readInSteps(reader, readParameterCount(reader), 0);
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) {
      reader.detach();
      bytes.fill(0);
    }
    reader.expectEnd();
    assert.deepEqual([...step.value], pairs, `reply ${turn}`);
  }
});

test("a reply that is cut within a known layout is malformed", () => {
  const decoder = new TypedParameterDecoder();
  decoded(decoder, statistics(1));
  const bytes = wire(statistics(2));
  for (let length = 4; length < bytes.length; length += 4)
    assert.throws(
      () => {
        const reader = new XdrReader(bytes.subarray(0, length));
        finish(decoder.readInSteps(reader, reader.uint(), 0));
      },
      { code: "E_LIBVIRT_PROTOCOL" },
    );
});
