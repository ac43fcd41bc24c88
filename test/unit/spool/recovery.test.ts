import assert from "node:assert/strict";
import { stat, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { encodeHeader, encodePreamble } from "../../../src/spool/frame-format.ts";
import { recover } from "../../../src/spool/recovery.ts";
import { segmentPath, writeCursors } from "../../../src/spool/writer-dir.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const clock = new FakeClock();

function frame(sequence: bigint, targets: readonly string[], createdAtMs = clock.now()): Buffer {
  const payload = Buffer.from("payload");
  return Buffer.concat([encodeHeader({ sequence, lines: 3, rawBytes: 9, createdAtMs, payload }, targets), payload]);
}

async function segment(directory: string, first: bigint, frames: readonly Uint8Array[]): Promise<void> {
  await writeFile(segmentPath(directory, first), Buffer.concat([encodePreamble(), ...frames]));
}

test("a target needs its frames from its cursor on, or all of them without a cursor", async (t) => {
  const directory = await temporaryDirectory(t);
  await segment(directory, 0n, [frame(0n, ["a", "b"]), frame(1n, ["b"]), frame(2n, ["a", "new"])]);
  await segment(directory, 3n, [frame(3n, ["b"])]);
  await writeCursors(
    directory,
    new Map([
      ["a", 2n],
      ["b", 4n],
    ]),
  );
  const { segments, consumed, newest, nextSequence } = await recover(directory, clock);
  assert.deepEqual(
    segments.map(({ pending }) => [...pending].map(([target, { frames, lines }]) => [target, frames, lines])),
    [
      [
        ["a", 1, 3],
        ["new", 1, 3],
      ],
    ],
  );
  assert.deepEqual(
    consumed.map(({ first }) => first),
    [3n],
  );
  assert.deepEqual(
    [...newest],
    [
      ["a", 2n],
      ["new", 2n],
    ],
  );
  assert.equal(nextSequence, 4n);
});

test("sequence numbers continue after the cursors, even without the frames before them", async (t) => {
  const directory = await temporaryDirectory(t);
  await writeCursors(directory, new Map([["a", 1_000n]]));
  assert.equal((await recover(directory, clock)).nextSequence, 1_000n);
});

test("a frame that was written twice counts once", async (t) => {
  const directory = await temporaryDirectory(t);
  await segment(directory, 0n, [frame(0n, ["a"]), frame(1n, ["a"])]);
  await segment(directory, 1n, [frame(1n, ["a"]), frame(2n, ["a"])]);
  const { segments } = await recover(directory, clock);
  assert.deepEqual(
    segments.map(({ frames, pending }) => [frames, pending.get("a")?.frames]),
    [
      [2, 2],
      [1, 1],
    ],
  );
});

test("the age of a frame is never negative, whatever the wall clock says", async (t) => {
  const directory = await temporaryDirectory(t);
  await segment(directory, 0n, [frame(0n, ["a"], clock.now() - 5_000), frame(1n, ["a"], clock.now() + 99_000)]);
  const [found] = (await recover(directory, clock)).segments;
  assert.deepEqual(
    [found?.oldestMonotonicMs, found?.newestMonotonicMs],
    [clock.monotonic() - 60_000, clock.monotonic()],
  );
});

test("an interrupted write is cut off and counted once", async (t) => {
  const directory = await temporaryDirectory(t);
  const whole = [frame(0n, ["a"]), frame(1n, ["a"])];
  await segment(directory, 0n, [...whole, frame(2n, ["a"]).subarray(0, 30)]);
  for (const truncatedBytes of [30, 0]) {
    const recovered = await recover(directory, clock);
    assert.deepEqual([recovered.truncatedBytes, recovered.segments[0]?.frames], [truncatedBytes, 2]);
  }
  const { size } = await stat(segmentPath(directory, 0n));
  assert.equal(size, Buffer.concat([encodePreamble(), ...whole]).length);
});

test("damage at the end of an older segment is counted, and nothing is cut off", async (t) => {
  const directory = await temporaryDirectory(t);
  const damaged = frame(1n, ["a"]);
  damaged[10] = 0xff;
  await segment(directory, 0n, [frame(0n, ["a"]), damaged]);
  await segment(directory, 2n, [frame(2n, ["a"])]);
  const { size } = await stat(segmentPath(directory, 0n));
  for (let start = 0; start < 2; start++) {
    const { corruptFrames, truncatedBytes, segments } = await recover(directory, clock);
    assert.deepEqual([corruptFrames, truncatedBytes], [1, 0]);
    assert.deepEqual(
      segments.map(({ bytes, frames }) => [bytes, frames]),
      [
        [size, 1],
        [encodePreamble().length + damaged.length, 1],
      ],
    );
  }
  assert.equal((await stat(segmentPath(directory, 0n))).size, size);
});

test("a segment of a newer version is not read", async (t) => {
  const directory = await temporaryDirectory(t);
  await segment(directory, 0n, [frame(0n, ["a"])]);
  await writeFile(segmentPath(directory, 1n), Buffer.concat([encodePreamble(2), frame(1n, ["a"])]));
  const { segments, consumed, unsupportedFiles } = await recover(directory, clock);
  assert.deepEqual([segments.length, consumed.length, unsupportedFiles], [1, 0, [segmentPath(directory, 1n)]]);
});
