import assert from "node:assert/strict";
import { open, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import fc from "fast-check";
import { encodeHeader, encodePreamble, MAGIC, PREAMBLE_BYTES } from "../../../src/spool/frame-format.ts";
import { SegmentReader, type SegmentItem } from "../../../src/spool/segment-reader.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

/** Returns the bytes of a frame. Its number is its sequence number, and the length of the default payload. */
function frame(number: number, payload: Uint8Array = Buffer.alloc(number, number)): Buffer {
  const header = { sequence: BigInt(number), lines: 1, rawBytes: 1, createdAtMs: 1, payload };
  return Buffer.concat([encodeHeader(header, ["target"]), payload]);
}

async function fileOf(t: TestContext): Promise<string> {
  return path.join(await temporaryDirectory(t), "segment");
}

/** Resolves to what a reader finds in a file: the numbers of frames, and the kinds of other items. */
async function found(file: string, parts: readonly Uint8Array[]): Promise<(number | string)[]> {
  const bytes = Buffer.concat([encodePreamble(), ...parts]);
  await writeFile(file, bytes);
  await using handle = await open(file);
  const reader = new SegmentReader(handle, bytes.length);
  const all: (number | string)[] = [];
  let end = PREAMBLE_BYTES;
  for (let next: SegmentItem | undefined = await reader.next(); next !== undefined; next = await reader.next()) {
    assert.equal(next.offset, end, "there is a gap between two items");
    end = next.end;
    if (next.kind !== "frame") all.push(next.kind);
    else all.push((await reader.payload(next)) === undefined ? "bad payload" : Number(next.header.sequence));
  }
  assert.equal(end, bytes.length);
  return all;
}

test("frames of all sizes are found, also frames larger than the window", async (t) => {
  const file = await fileOf(t);
  const sizes = [0, 1, 16_384, 16_340, 100_000, 3];
  assert.deepEqual(
    await found(
      file,
      sizes.map((size) => frame(size)),
    ),
    sizes,
  );
});

test("an empty file, and one with half a preamble, have no frames", async (t) => {
  const file = await fileOf(t);
  for (const bytes of [Buffer.alloc(0), encodePreamble().subarray(0, 5)]) {
    await writeFile(file, bytes);
    await using handle = await open(file);
    const reader = new SegmentReader(handle, bytes.length);
    assert.deepEqual([await reader.version(), await reader.next()], [undefined, undefined]);
  }
});

test("other bytes between frames are damage, and after the last frame the tail", async (t) => {
  const file = await fileOf(t);
  const rubbish = Buffer.alloc(40_000, "rubbish");
  assert.deepEqual(await found(file, [frame(1), rubbish, frame(2)]), [1, "damage", 2]);
  assert.deepEqual(await found(file, [rubbish, frame(2)]), ["damage", 2]);
  assert.deepEqual(await found(file, [frame(1), rubbish]), [1, "tail"]);
  assert.deepEqual(await found(file, [frame(1), frame(200).subarray(0, -1)]), [1, "tail"]);
});

test("a frame is found after damage of any length, also after a false magic number", async (t) => {
  const file = await fileOf(t);
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 40_000 }),
      fc.array(fc.nat(39_999), { maxLength: 3 }),
      async (length, at) => {
        const rubbish = Buffer.alloc(length, 7);
        for (const offset of at) MAGIC.copy(rubbish, offset);
        assert.deepEqual(await found(file, [rubbish, frame(5)]), ["damage", 5]);
      },
    ),
    { numRuns: 50 },
  );
});

test("the frames after a frame with a damaged payload are found", async (t) => {
  const file = await fileOf(t);
  const damaged = frame(300);
  damaged[damaged.length - 1] = 0;
  assert.deepEqual(await found(file, [frame(1), damaged, frame(2)]), [1, "bad payload", 2]);
});

test("a file that becomes shorter during the read ends there", async (t) => {
  const file = await fileOf(t);
  await writeFile(file, Buffer.concat([encodePreamble(), frame(1)]));
  await using handle = await open(file);
  const reader = new SegmentReader(handle, 1 << 30);
  assert.equal((await reader.next())?.kind, "frame");
  assert.equal((await reader.next())?.kind, "tail");
  assert.equal(await reader.next(), undefined);
});
