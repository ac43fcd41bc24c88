import assert from "node:assert/strict";
import { test } from "node:test";
import type { Kept, Reader } from "../../../src/spool/kept.ts";
import { RecentFrames } from "../../../src/spool/recent-frames.ts";
import { Segment } from "../../../src/spool/segment.ts";

/** A reader that notes what it is told. */
class NotingReader implements Reader {
  readonly name = "a";
  readonly next = 0n;
  readonly events: string[] = [];

  push(kept: Kept): void {
    this.events.push(`push ${kept.frame.sequence}`);
  }

  wake(): void {
    this.events.push("wake");
  }

  evict(kept: Kept): void {
    this.events.push(`evict ${kept.frame.sequence}`);
  }

  lose(kept: Kept, reason: string): void {
    this.events.push(`lose ${kept.frame.sequence} ${reason}`);
  }
}

function keptOf(sequence: number, readers: readonly Reader[], onDisk: boolean): Kept {
  return {
    frame: { sequence: BigInt(sequence), lines: 1, rawBytes: 10, createdAtMs: 0, payload: Buffer.alloc(10) },
    bornAtMs: sequence,
    readers: new Set(readers),
    place: onDisk ? { segment: new Segment("", 0n), offset: 0 } : undefined,
  };
}

test("beyond the limit the oldest frames are on disk only, or lost if they are not there", () => {
  const reader = new NotingReader();
  const recent = new RecentFrames(25);
  for (const [sequence, onDisk] of [true, true, false, false, false].entries())
    recent.add(keptOf(sequence, [reader], onDisk));
  recent.trim();
  assert.deepEqual(reader.events, ["evict 0", "evict 1", "lose 2 disk"]);
});

test("frames that nobody needs any more take no room", () => {
  const reader = new NotingReader();
  const recent = new RecentFrames(20);
  const taken = keptOf(0, [reader], false);
  recent.add(taken);
  for (const sequence of [1, 2]) recent.add(keptOf(sequence, [reader], false));
  taken.readers.clear();
  recent.trim();
  assert.deepEqual(reader.events, []);
});

test("what is not on disk grows too old here, what is there with its segment", () => {
  const reader = new NotingReader();
  const recent = new RecentFrames(1_000);
  for (const sequence of [0, 1, 2]) recent.add(keptOf(sequence, [reader], false));
  recent.expire(2);
  assert.deepEqual(reader.events, ["lose 0 age", "lose 1 age"]);
  recent.add(keptOf(3, [reader], true));
  recent.expire(3);
  recent.expire(9);
  assert.deepEqual(reader.events.slice(2), ["lose 2 age"]);
});
