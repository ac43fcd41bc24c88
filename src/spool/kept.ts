import type { DropReason } from "./losses.ts";
import type { Segment } from "./segment.ts";
import type { Frame } from "./spool.ts";

/** Where a frame begins, or where the one before it ends. */
export interface Place {
  readonly segment: Segment;
  readonly offset: number;
}

/** A cursor, as what keeps frames in memory knows it. The frames that it is told of are its oldest in memory. */
export interface Reader {
  readonly name: string;
  /** It needs no frame before this. */
  readonly next: bigint;
  /** It needs this frame, which is newer than all before. */
  push(kept: Kept): void;
  /** There is something to read. */
  wake(): void;
  /** The frame is on disk only from now on. */
  evict(kept: Kept): void;
  /** The frame is nowhere any more. */
  lose(kept: Kept, reason: DropReason): void;
}

/** A frame in memory. */
export interface Kept {
  readonly frame: Frame;
  /** On the monotonic clock: a step of the wall clock must not age a frame. */
  readonly bornAtMs: number;
  /** Who still needs it. */
  readonly readers: Set<Reader>;
  /** Where it is on disk; undefined as long as it is not. */
  place: Place | undefined;
}

/** A frame that has no number yet. */
export interface Draft extends Pick<Kept, "bornAtMs" | "readers"> {
  readonly frame: Omit<Frame, "sequence">;
}
