import assert from "node:assert/strict";
import { test } from "node:test";
import { Bodies } from "../../../src/delivery/bodies.ts";
import type { Frame } from "../../../src/spool/spool.ts";

function frames(...sequences: readonly number[]): readonly Frame[] {
  return sequences.map((number) => ({
    sequence: BigInt(number),
    lines: 1,
    rawBytes: 1,
    createdAtMs: 0,
    payload: Buffer.from(`<${number}>`),
  }));
}

test("a body has all frames in their order, and who asks for the same ones gets the same", () => {
  const bodies = new Bodies();
  const body = bodies.of(frames(1, 2, 3));
  assert.equal(Buffer.from(body).toString(), "<1><2><3>");
  assert.equal(bodies.of(frames(1, 2, 3)), body);
});

test("whoever does not get one of the frames, or gets others, has a body of his own", () => {
  const bodies = new Bodies();
  const texts = [[1, 2, 3], [1, 3], [1, 2, 3], [12, 3], [1, 2], []].map((sequences) =>
    Buffer.from(bodies.of(frames(...sequences))).toString(),
  );
  assert.deepEqual(texts, ["<1><2><3>", "<1><3>", "<1><2><3>", "<12><3>", "<1><2>", ""]);
});
