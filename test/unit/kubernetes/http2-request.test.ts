import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LineSplitter } from "../../../src/kubernetes/http2-request.ts";

test("lines are complete for every split of the bytes, also inside a character", () => {
  const line = fc.string({ unit: "grapheme" }).map((text) => text.replaceAll("\n", ""));
  fc.assert(
    fc.property(fc.array(line), line, fc.array(fc.nat(40)), (lines, rest, cuts) => {
      const bytes = Buffer.from(lines.map((each) => `${each}\n`).join("") + rest);
      const splitter = new LineSplitter(10_000);
      const found: string[] = [];
      let at = 0;
      for (const cut of [...cuts, bytes.length]) {
        found.push(...splitter.push(bytes.subarray(at, at + cut)));
        at = Math.min(at + cut, bytes.length);
      }
      assert.deepEqual(found, lines);
      assert.equal(splitter.unfinished, Buffer.byteLength(rest));
    }),
  );
});

test("a line can be as long as the limit but not longer, in one chunk or many", () => {
  const bytes = Buffer.from(`${"x".repeat(100)}\n`);
  assert.deepEqual([...new LineSplitter(100).push(bytes)], ["x".repeat(100)]);
  assert.throws(() => [...new LineSplitter(99).push(bytes)], { code: "E_KUBE_PROTOCOL" });
  const splitter = new LineSplitter(99);
  const feed = (): void => {
    for (const byte of bytes) Array.from(splitter.push(Buffer.of(byte)));
  };
  assert.throws(feed, { code: "E_KUBE_PROTOCOL" });
});
