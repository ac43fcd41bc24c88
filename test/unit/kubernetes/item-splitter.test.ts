import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { MAX_OBJECT_BYTES } from "../../../src/kubernetes/body-reader.ts";
import { ItemSplitter } from "../../../src/kubernetes/item-splitter.ts";

interface Result {
  readonly items: readonly unknown[];
  readonly tooLarge: readonly (string | undefined)[];
  readonly list: unknown;
  readonly peakBytes: number;
}

/** Splits a text whose bytes arrive in chunks of these sizes, and the rest in one. */
function split(text: string, sizes: readonly number[] = []): Result {
  const bytes = Buffer.from(text);
  const items: unknown[] = [];
  const tooLarge: (string | undefined)[] = [];
  const splitter = new ItemSplitter({ item: (item) => items.push(item), tooLarge: (name) => tooLarge.push(name) });
  let at = 0;
  for (const size of [...sizes, bytes.length]) {
    splitter.push(bytes.subarray(at, at + size));
    at = Math.min(at + size, bytes.length);
  }
  return { items, tooLarge, list: splitter.end(), peakBytes: splitter.peakBytes };
}

/** Chunk sizes of one byte, for every byte. */
const bytewise = (text: string): number[] => Array.from(Buffer.from(text), () => 1);

const json = fc.jsonValue({ stringUnit: "grapheme", maxDepth: 4 });
/** Strings of the characters that structure JSON. */
const structural = fc.string({
  unit: fc.constantFrom("{", "}", "[", "]", ",", ":", '"', "\\", " ", "\n", "ü", "😀", "items", '"items":['),
});
const item = fc.oneof(json, structural, fc.dictionary(structural, structural));
const sizes = fc.array(fc.nat(20), { maxLength: 200 });
const indent = fc.constantFrom(undefined, 1, "\t");

void suite("the splitter of lists", () => {
  test("gives the items of any list and the list without them, wherever chunks end", () => {
    const list = fc.record({
      before: fc.dictionary(fc.oneof(structural, fc.string()), item),
      items: fc.array(item),
      after: fc.dictionary(fc.oneof(structural, fc.string()), item),
    });
    fc.assert(
      fc.property(list, sizes, indent, ({ before, items, after }, cuts, space) => {
        for (const fields of [before, after])
          for (const key of ["items", "__proto__"]) Reflect.deleteProperty(fields, key);
        const document = { ...before, items, ...after };
        const text = JSON.stringify(document, undefined, space);
        const parsed = JSON.parse(text) as typeof document;
        const expected = { items: parsed.items, tooLarge: [], list: { ...parsed, items: [] } };
        for (const chunks of [cuts, bytewise(text)]) {
          const { peakBytes, ...found } = split(text, chunks);
          assert.deepEqual(found, expected);
          assert.ok(peakBytes <= Buffer.byteLength(text));
        }
      }),
    );
  });

  test("gives any other JSON document as it is, without items", () => {
    fc.assert(
      fc.property(json, sizes, indent, (document, cuts, space) => {
        const text = JSON.stringify(document, undefined, space);
        const parsed: unknown = JSON.parse(text);
        fc.pre(!Array.isArray((parsed as { readonly items?: unknown } | null)?.items));
        const { items, list } = split(text, cuts);
        assert.deepEqual([items, list], [[], parsed]);
      }),
    );
  });

  test("finds only the items of the list itself", () => {
    const text = JSON.stringify({
      metadata: { items: [1, 2] },
      'x","items': [3],
      "\\": '"items":[4]',
      other: [{ items: [5] }],
      items: [{ items: [6] }, [7], "8,9"],
    });
    assert.deepEqual(split(text, bytewise(text)).items, [{ items: [6] }, [7], "8,9"]);
  });

  test("accepts an empty list with and without white space", () => {
    for (const items of ["[]", "[ \n]"]) {
      const text = `{"items":${items},"metadata":{}}`;
      assert.deepEqual(split(text), { ...split(text, bytewise(text)), items: [], list: { items: [], metadata: {} } });
    }
  });

  for (const text of [
    "",
    '{"items":[{"a":1}',
    '{"items":[{"a":1}]',
    '{"items":[1,]}',
    '{"items":[,1]}',
    '{"items":[1 2]}',
    '{"items":[{"a":]}',
    '{"items":[{"a":"hunter2]}',
    '{"items":[1}',
    '{"items":[1]]',
    '{"items":[]}}',
    "<html>",
  ])
    test(`rejects ${text || "nothing"}, without a quote of it`, () => {
      for (const chunks of [[], bytewise(text)])
        assert.throws(() => split(text, chunks), {
          code: "E_KUBE_PROTOCOL",
          message: "the API server sent a text that is not JSON",
        });
    });

  test("rejects no prefix of a list as anything but an incomplete text", () => {
    const text = '{"kind":"L","items":[{"a":"}]\\""},2],"metadata":{"resourceVersion":"1"}}';
    for (let length = 0; length < text.length; length++)
      assert.throws(() => split(text.slice(0, length)), { code: "E_KUBE_PROTOCOL" });
  });

  test("leaves out only an item over the limit, and holds at most the limit", () => {
    const quoted = (bytes: number): string => JSON.stringify("x".repeat(bytes - 2));
    const [fits, over] = [quoted(MAX_OBJECT_BYTES - 30), quoted(MAX_OBJECT_BYTES + 1)];
    for (const chunks of [[], Array.from({ length: 2_000 }, () => 16_384)]) {
      const { items, tooLarge, list, peakBytes } = split(`{"items":[1,${over},2,${fits},${over}]}`, chunks);
      assert.deepEqual([items.length, items[0], items[1], items[2] === JSON.parse(fits)], [3, 1, 2, true]);
      assert.deepEqual([tooLarge, list], [[undefined, undefined], { items: [] }]);
      assert.ok(peakBytes <= MAX_OBJECT_BYTES, String(peakBytes));
    }
  });

  test("rejects a list that is too large without its items", () => {
    const text = `{"metadata":{"annotations":{"a":"${"x".repeat(MAX_OBJECT_BYTES)}"}},"items":[]}`;
    assert.throws(() => split(text), { code: "E_KUBE_PROTOCOL", message: /^a list without its items has more than/ });
  });
});
