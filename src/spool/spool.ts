import type { DiskStats } from "./disk-monitor.ts";
import type { Losses } from "./losses.ts";
import type { WakeSignal } from "../lib/waker.ts";

/*
 * The objects of a durable spool. An arrow is a call; the files import each other in one direction only, so the calls back
 * to DurableSpool are callbacks that it passes in.
 *
 *   Router                                        Sender
 *     │ append                                      │ read, acknowledge
 *     v                                             v
 *   DurableSpool ──────── dropSegment ────────> TargetCursor ── CursorHost: expire, advanced, ... ──> DurableSpool
 *     │ commit                                      ^  ^
 *     v                                 push, wake  │  │ evict, dropFrame
 *   CommitQueue ────────────────────────────────────┘  │
 *     │ append     └────── add, trim ───────────> RecentFrames
 *     v
 *   DiskStore ── dropped(segment, reason) ──> DurableSpool
 *     │ append, remove
 *     v
 *   SegmentLog ──> Segment (what each target still needs of a file)
 *
 * A segment over a cap:    DiskStore.dropped -> DurableSpool -> TargetCursor.dropSegment -> CursorHost.lost
 * A frame over a cap:      TargetCursor.read -> CursorHost.expire -> RecentFrames.expire -> TargetCursor.dropFrame
 * A consumed segment:      TargetCursor.acknowledge -> CursorHost.advanced -> DurableSpool -> DiskStore.deleteConsumed
 * Another writer's frames: Takeover.start (every few seconds) -> CommitQueue.commit, like new frames
 *
 * A MemorySpool has TargetCursors too, and nothing else of this: it pushes frames to them and drops frames by itself.
 */

/**
 * The buffer between collection and delivery. Nothing is sent before it is in the spool. A line leaves the spool when every
 * target that it is for has acknowledged it, or when a cap drops it; such losses are counted.
 */
export interface Spool {
  /**
   * Appends lines, as one frame or several, for the named targets, or for all that have a cursor. Resolves when the lines are
   * as safe as this spool makes them.
   */
  append(batch: LineBatch, targets?: readonly string[]): Promise<void>;
  /** Returns the cursor of a target, the same one for the same name. A new cursor sees only what is appended later. */
  cursor(target: string): SpoolCursor;
  /** Removes a target that is no longer configured, with its backlog. */
  removeCursor(target: string): void;
  /** Applies new caps, also to what is already in the spool. */
  set caps(caps: SpoolCaps);
  readonly stats: SpoolStats;
  /** Ends the use of this spool. A durable one keeps its lines. */
  close(): Promise<void>;
}

export interface SpoolCaps {
  /** Most compressed bytes. Above it the oldest frames are dropped. */
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}

/** Whole lines of line protocol in UTF-8, each with a newline at its end. */
export interface LineBatch {
  readonly lines: number;
  readonly bytes: Uint8Array;
}

export interface Frame {
  /** Ascending. A target does not see the frames for other targets, so there can be gaps. */
  readonly sequence: bigint;
  readonly lines: number;
  /** Size of the lines before compression, in bytes. */
  readonly rawBytes: number;
  /** Milliseconds since the epoch at which the frame was appended. */
  readonly createdAtMs: number;
  /** One gzip member. Several must not be concatenated into one body: some servers read only the first. */
  readonly payload: Uint8Array;
}

export interface ReadLimits {
  readonly maxLines: number;
  readonly maxRawBytes: number;
}

export interface SpoolCursor {
  /**
   * Resolves to the oldest frames that are not acknowledged, up to the limits, but to at least one if there is one. Does not
   * advance the cursor.
   */
  read(limits: ReadLimits): Promise<readonly Frame[]>;
  /**
   * Returns the frames in memory that are not acknowledged and were appended since `sinceMs`, in milliseconds since the epoch,
   * oldest first.
   */
  recent(sinceMs: number): readonly Frame[];
  /** Advances the cursor past the frame with this sequence number, which the last `read` returned. */
  acknowledge(sequence: bigint): void;
  /** Resolves when there is a frame to read, or when the signal aborts. */
  ready(signal: WakeSignal): Promise<void>;
  /** Everything that is not acknowledged; `bytes` are compressed. Cheap. */
  readonly backlog: { readonly frames: number; readonly lines: number; readonly bytes: number };
  /** Lower bound of the sequence numbers in the backlog; undefined if it is empty. */
  readonly oldest: bigint | undefined;
  /** Sequence number of the newest frame in the backlog; undefined if it is empty. */
  readonly newest: bigint | undefined;
  /**
   * When the oldest frame in the backlog was appended, on the monotonic clock; undefined if the backlog is empty. For a frame
   * that is on disk only, it can be the time of the oldest frame in the same file.
   */
  readonly oldestMonotonicMs: number | undefined;
  /** Lines of this target that the spool dropped. */
  readonly droppedLines: number;
  /** The same by reason. */
  readonly losses: Losses;
}

export interface SpoolStats {
  /** Frames in the spool. On disk this includes consumed frames in a file with frames that are still needed. */
  readonly frames: number;
  readonly bytes: number;
  /** Counted since the start, like the losses. */
  readonly appendedLines: number;
  /** Compressed bytes that were appended since the start. */
  readonly appendedBytes: number;
  /** A line counts once for each target that needed it. */
  readonly droppedLines: number;
  readonly losses: Losses;
  /** Undefined for a spool in memory. */
  readonly disk?: DiskStats;
}
