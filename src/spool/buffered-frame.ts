import type { DropReason } from "./losses.ts";
import type { Segment } from "./segment.ts";
import type { Frame } from "./spool.ts";

/** An offset in a segment file: where a frame begins, or where the frame before it ends. */
export interface FrameLocation {
  readonly segment: Segment;
  readonly offset: number;
}

/** A cursor, as the parts that hold frames in memory use it. They call it for its frames in order, oldest first. */
export interface FrameConsumer {
  readonly name: string;
  /** Sequence number of the first frame that it may still need. */
  readonly next: bigint;
  /** Adds a frame, which is newer than all before. Does not wake the waiting reader yet: see `wake`. */
  push(buffered: BufferedFrame): void;
  /** Resolves pending calls of `ready`. */
  wake(): void;
  /** The oldest frame leaves memory and stays on disk. */
  evict(buffered: BufferedFrame): void;
  /** The oldest frame is dropped: it is neither in memory nor on disk any more. */
  dropFrame(buffered: BufferedFrame, reason: DropReason): void;
}

/** A frame in memory. All cursors that need it share it. */
export interface BufferedFrame {
  readonly frame: Frame;
  /** When it was appended, on the monotonic clock: a step of the wall clock must not age a frame. */
  readonly monotonicMs: number;
  /** The cursors that still need it. */
  readonly consumers: Set<FrameConsumer>;
  /** Where it is on disk; undefined until it has been written. */
  location: FrameLocation | undefined;
}

/** A frame without a sequence number. */
export interface PendingFrame extends Pick<BufferedFrame, "monotonicMs" | "consumers"> {
  readonly frame: Omit<Frame, "sequence">;
}
