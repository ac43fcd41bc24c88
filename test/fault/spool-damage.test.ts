import assert from "node:assert/strict";
import { mkdir, rename, rm, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { decodeHeader, HEADER_BYTES, headerLength, PREAMBLE_BYTES } from "../../src/spool/frame-format.ts";
import { inspectSpool, summarize } from "../../src/spool/inspection.ts";
import { NOTHING } from "../../src/spool/segment.ts";
import { until } from "../support/delivery.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { ALL, appendNumber, contentOf, MAIN, numbersOf, restore, SpoolBench, takeAll } from "../support/spool-bench.ts";
import { memoryDirectory } from "../support/temporary-directory.ts";

const FRAMES = 5;
const TARGETS = ["a", "b"];

interface SmallSpool {
  readonly directory: string;
  /** The directory of its segments. */
  readonly writerDir: string;
  readonly segments: ReadonlyMap<string, Buffer>;
}

/** Creates a spool of two segments with the lines 0 to 4. */
async function smallSpool(t: TestContext): Promise<SmallSpool> {
  const directory = await memoryDirectory(t);
  {
    await using bench = await SpoolBench.open(directory, { maxSegmentBytes: 300 });
    for (const target of TARGETS) bench.spool.cursor(target);
    for (let number = 0; number < FRAMES; number++) await appendNumber(bench.spool, number);
  }
  const writerDir = path.join(directory, MAIN);
  await rm(path.join(writerDir, "cursors.json"));
  const segments = await contentOf(writerDir);
  assert.equal(segments.size, 2);
  return { directory, writerDir, segments };
}

/** Restores the spool with another content of one segment. */
async function withSegment({ writerDir, segments }: SmallSpool, name: string, bytes: Uint8Array): Promise<void> {
  await rm(writerDir, { recursive: true });
  await mkdir(writerDir);
  await restore(writerDir, new Map([...segments, [name, bytes]]));
}

/** Returns the offsets at which the preamble and the frames of a segment end. */
function ends(segment: Buffer): number[] {
  const found = [PREAMBLE_BYTES];
  for (let offset = PREAMBLE_BYTES; offset < segment.length;) {
    const length = headerLength(segment.subarray(offset, offset + HEADER_BYTES));
    const header = length === undefined ? undefined : decodeHeader(segment.subarray(offset, offset + length));
    assert.ok(header !== undefined);
    offset += header.bytes;
    found.push(offset);
  }
  return found;
}

test("a truncated segment keeps every frame before the cut, and the spool accepts lines", async (t) => {
  const small = await smallSpool(t);
  const [[first, firstBytes] = ["", Buffer.alloc(0)], [second, secondBytes] = ["", Buffer.alloc(0)]] = small.segments;
  const inFirst = ends(firstBytes).length - 1;
  for (const [name, bytes, before, after] of [
    [first, firstBytes, 0, FRAMES - inFirst],
    [second, secondBytes, inFirst, 0],
  ] as const) {
    for (let cut = 0; cut < bytes.length; cut++) {
      await withSegment(small, name, bytes);
      await truncate(path.join(small.writerDir, name), cut);
      const whole = Math.max(0, ends(bytes).filter((end) => end <= cut).length - 1);
      const expected = numbers().filter((number) => number < before + whole || number >= FRAMES - after);
      {
        await using bench = await SpoolBench.open(small.directory);
        const cursor = bench.spool.cursor("a");
        assert.deepEqual(await numbersOf(cursor), expected, `${name} cut at ${cut}`);
        await appendNumber(bench.spool, 99, ["a"]);
      }
      await using again = await SpoolBench.open(small.directory);
      assert.deepEqual(
        await takeAll(again.spool.cursor("a")),
        [...expected, 99],
        `${name} cut at ${cut}, then appended`,
      );
    }
  }
});

test("a wrong byte costs only its own frame, and the loss is counted", async (t) => {
  const small = await smallSpool(t);
  let before = 0;
  for (const [name, bytes] of small.segments) {
    const frameEnds = ends(bytes);
    for (let offset = 0; offset < bytes.length; offset++) {
      const damaged = Buffer.from(bytes);
      damaged[offset] = (bytes[offset] ?? 0) ^ (1 + (offset % 255));
      await withSegment(small, name, damaged);
      const hit = offset < PREAMBLE_BYTES ? undefined : before + frameEnds.findIndex((end) => offset < end) - 1;
      await using bench = await SpoolBench.open(small.directory);
      const [a, b] = [bench.spool.cursor("a"), bench.spool.cursor("b")];
      const expected = numbers().filter((number) => number !== hit);
      assert.deepEqual(await takeAll(a), expected, `${name} damaged at ${offset}`);
      assert.deepEqual(await takeAll(b), expected);
      const { corruptFrames, truncatedBytes } = bench.spool.stats.disk;
      assert.equal(
        corruptFrames + Math.sign(truncatedBytes),
        hit === undefined ? 0 : 1,
        `${name} damaged at ${offset}`,
      );
      assert.deepEqual(a.backlog, { frames: 0, lines: 0, bytes: 0 });
      assert.ok(a.losses.corrupt <= 1 && a.losses.corrupt === b.losses.corrupt);
    }
    before += frameEnds.length - 1;
  }
});

test("a range of zeros, as after a crash of the node, costs only the frames that it covers", async (t) => {
  const small = await smallSpool(t);
  const [name = "", bytes = Buffer.alloc(0)] = [...small.segments][0] ?? [];
  const [, first = 0, second = 0] = ends(bytes);
  await withSegment(small, name, Buffer.from(bytes).fill(0, first + 10, second + 10));
  await using bench = await SpoolBench.open(small.directory);
  assert.deepEqual(await takeAll(bench.spool.cursor("a")), [0, 3, 4]);
  assert.deepEqual(bench.notes.events, ["found E_SPOOL_DAMAGED"]);
});

/** Restores the spool with the last frame of its first segment a second time: behind the first, or at the begin of the next segment. */
async function withFrameTwice(small: SmallSpool, where: "same" | "next"): Promise<void> {
  const [[name, first] = ["", Buffer.alloc(0)], [next, second] = ["", Buffer.alloc(0)]] = small.segments;
  const frame = first.subarray(ends(first).at(-2));
  if (where === "same") await withSegment(small, name, Buffer.concat([first, frame]));
  else
    await withSegment(
      small,
      next,
      Buffer.concat([second.subarray(0, PREAMBLE_BYTES), frame, second.subarray(PREAMBLE_BYTES)]),
    );
}

for (const where of ["same", "next"] as const) {
  test(`a frame that is on disk twice (${where} file) is delivered once, and so is every frame behind it`, async (t) => {
    const small = await smallSpool(t);
    for (const maxLines of [1, 4, 100]) {
      await withFrameTwice(small, where);
      await using bench = await SpoolBench.open(small.directory);
      const cursor = bench.spool.cursor("a");
      const taken: number[] = [];
      for (let reads = 0; reads < FRAMES; reads++) {
        const frames = await cursor.read({ ...ALL, maxLines });
        taken.push(...frames.map(({ sequence }) => Number(sequence)));
        for (const { sequence } of frames.slice(-1)) cursor.acknowledge(sequence);
      }
      assert.deepEqual([taken, cursor.backlog, cursor.droppedLines], [numbers(), NOTHING, 0], `${maxLines} lines`);
    }
  });

  test(`a frame that is on disk twice (${where} file) is inspected once`, async (t) => {
    const small = await smallSpool(t);
    await withFrameTwice(small, where);
    const { directories } = await inspectSpool(small.directory);
    const sums = await Promise.all(directories.map(summarize));
    assert.deepEqual(
      sums.map(({ all, backlogs, damage }) => [all.frames, backlogs.get("a")?.frames, damage]),
      [[FRAMES, FRAMES, []]],
    );
  });

  test(`a frame that is on disk twice (${where} file) is taken over once`, async (t) => {
    const small = await smallSpool(t);
    await withFrameTwice(small, where);
    await rename(small.writerDir, path.join(small.directory, "v1-0badcafe"));
    const clock = new FakeClock();
    await using bench = await SpoolBench.open(small.directory, { clock });
    const cursor = bench.spool.cursor("a");
    await until("the lines are taken over", async () => {
      await clock.advance(100);
      return bench.notes.events.includes(`taken over ${FRAMES}`);
    });
    assert.deepEqual(await takeAll(cursor), numbers());
  });
}

test("files that do not belong to the spool are not changed", async (t) => {
  const { directory, writerDir, segments } = await smallSpool(t);
  const foreign = ["notes.txt", "1.seg", "00000000000000000000.seg.bak"];
  for (const name of foreign) await writeFile(path.join(writerDir, name), "not a spool");
  await writeFile(path.join(directory, "v1.txt"), "not a spool");
  {
    await using bench = await SpoolBench.open(directory);
    for (const target of TARGETS) assert.equal((await takeAll(bench.spool.cursor(target))).length, FRAMES);
  }
  const left = [...(await contentOf(writerDir)).keys()];
  assert.deepEqual(left, [...foreign, "cursors.json"].sort());
  assert.ok([...segments.keys()].every((name) => !left.includes(name)));
});

test("a spool opens with a random segment, an empty one and a damaged cursor file", async (t) => {
  const { directory, writerDir } = await smallSpool(t);
  await writeFile(path.join(writerDir, "00000000000000000100.seg"), "x".repeat(100_000));
  await writeFile(path.join(writerDir, "00000000000000000101.seg"), "");
  await writeFile(path.join(writerDir, "cursors.json"), "{");
  await using bench = await SpoolBench.open(directory);
  const cursor = bench.spool.cursor("a");
  await appendNumber(bench.spool, 7);
  assert.deepEqual(await takeAll(cursor), [...numbers(), 7]);
});

test("a segment that is deleted while in use counts as lost, not as damaged, and the others are delivered", async (t) => {
  const { directory, writerDir, segments } = await smallSpool(t);
  await using bench = await SpoolBench.open(directory);
  const cursor = bench.spool.cursor("a");
  const [first = ""] = segments.keys();
  await rm(path.join(writerDir, first));
  const left = await takeAll(cursor);
  assert.deepEqual(left, numbers().slice(FRAMES - left.length));
  assert.deepEqual([cursor.losses.disk, cursor.losses.corrupt], [FRAMES - left.length, 0]);
  assert.equal(bench.spool.stats.disk.corruptFrames, 0);
});

function numbers(): number[] {
  return Array.from({ length: FRAMES }, (_, number) => number);
}
