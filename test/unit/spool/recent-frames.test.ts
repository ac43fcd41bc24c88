import assert from "node:assert/strict";
import { test } from "node:test";
import type { BufferedFrame, FrameConsumer } from "../../../src/spool/buffered-frame.ts";
import { RecentFrames } from "../../../src/spool/recent-frames.ts";
import { Segment } from "../../../src/spool/segment.ts";

/** A consumer that records each call as a text. */
class RecordingConsumer implements FrameConsumer {
  readonly name = "a";
  readonly next = 0n;
  readonly events: string[] = [];

  push(buffered: BufferedFrame): void {
    this.events.push(`push ${buffered.frame.sequence}`);
  }

  wake(): void {
    this.events.push("wake");
  }

  evict(buffered: BufferedFrame): void {
    this.events.push(`evict ${buffered.frame.sequence}`);
  }

  dropFrame(buffered: BufferedFrame, reason: string): void {
    this.events.push(`drop ${buffered.frame.sequence} ${reason}`);
  }
}

/** Returns a frame of ten compressed bytes; its sequence number is also its time. */
function bufferedFrame(sequence: number, consumers: readonly FrameConsumer[], onDisk: boolean): BufferedFrame {
  return {
    frame: { sequence: BigInt(sequence), lines: 1, rawBytes: 10, createdAtMs: 0, payload: Buffer.alloc(10) },
    monotonicMs: sequence,
    consumers: new Set(consumers),
    location: onDisk ? { segment: new Segment("", 0n), offset: 0 } : undefined,
  };
}

test("above the limit the oldest frames are evicted if they are on disk, and dropped otherwise", () => {
  const consumer = new RecordingConsumer();
  const recent = new RecentFrames(25);
  for (const [sequence, onDisk] of [true, true, false, false, false].entries())
    recent.add(bufferedFrame(sequence, [consumer], onDisk));
  recent.trim();
  assert.deepEqual(consumer.events, ["evict 0", "evict 1", "drop 2 disk"]);
});

test("a frame without consumers does not count against the limit", () => {
  const consumer = new RecordingConsumer();
  const recent = new RecentFrames(20);
  const acknowledged = bufferedFrame(0, [consumer], false);
  recent.add(acknowledged);
  for (const sequence of [1, 2]) recent.add(bufferedFrame(sequence, [consumer], false));
  acknowledged.consumers.clear();
  recent.trim();
  assert.deepEqual(consumer.events, []);
});

test("a frame in memory only expires by itself, a frame on disk with its segment", () => {
  const consumer = new RecordingConsumer();
  const recent = new RecentFrames(1_000);
  for (const sequence of [0, 1, 2]) recent.add(bufferedFrame(sequence, [consumer], false));
  recent.expire(2);
  assert.deepEqual(consumer.events, ["drop 0 age", "drop 1 age"]);
  recent.add(bufferedFrame(3, [consumer], true));
  recent.expire(3);
  recent.expire(9);
  assert.deepEqual(consumer.events.slice(2), ["drop 2 age"]);
});
