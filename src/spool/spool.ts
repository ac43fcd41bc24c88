import type { DiskStats } from "./disk-record.ts";
import type { Losses } from "./losses.ts";

/**
 * The buffer between measurement and delivery. Nothing is sent before it is in the spool, and nothing leaves the spool
 * before every target that it is for has acknowledged it, or a stated cap was reached (the loss is then counted).
 */
export interface Spool {
  /**
   * Takes one flush of lines, as one frame or several, for the targets with these names, or for all that have a cursor;
   * resolves when they are as safe as this spool makes them.
   */
  append(batch: LineBatch, targets?: readonly string[]): Promise<void>;
  /** The reading side of one target; the same name gets the same cursor. A new one sees only what is appended later. */
  cursor(target: string): SpoolCursor;
  /** Forgets a target that is no longer configured, and what only it still needed. */
  removeCursor(target: string): void;
  /** New caps hold from now on, for what is there too. */
  set caps(caps: SpoolCaps);
  readonly stats: SpoolStats;
  /** Ends its use. What was appended is kept if this spool outlives the process. */
  close(): Promise<void>;
}

export interface SpoolCaps {
  /** Compressed bytes kept at most; the oldest frames give way. */
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}

/** Whole lines of line protocol, each ended by a newline, in UTF-8. */
export interface LineBatch {
  readonly lines: number;
  readonly bytes: Uint8Array;
}

export interface Frame {
  /** Greater than that of every frame before; a target does not see the frames for others, so it may find gaps. */
  readonly sequence: bigint;
  readonly lines: number;
  /** Size of the lines before compression, in bytes. */
  readonly rawBytes: number;
  /** Milliseconds since the epoch at which the frame was appended. */
  readonly createdAtMs: number;
  /** One gzip member. Several must not be concatenated into one body: some servers read the first only. */
  readonly payload: Uint8Array;
}

export interface ReadLimits {
  readonly maxLines: number;
  readonly maxRawBytes: number;
}

export interface SpoolCursor {
  /** The oldest frames not yet acknowledged, up to the limits but at least one when there is any; stays where it is. */
  read(limits: ReadLimits): Promise<readonly Frame[]>;
  /**
   * The frames not yet acknowledged that were appended since then, in milliseconds since the epoch: as many of the newest as
   * are in memory, the oldest of them first.
   */
  recent(sinceMs: number): readonly Frame[];
  /** Advances behind the frame with this sequence number, which the last `read` returned. */
  acknowledge(sequence: bigint): void;
  /** Resolves when there is something to read, or when the signal aborts. */
  ready(signal: AbortSignal): Promise<void>;
  /** What is not yet acknowledged; `bytes` are compressed ones. Cheap to ask for. */
  readonly backlog: { readonly frames: number; readonly lines: number; readonly bytes: number };
  /** No frame before this one is needed; undefined when none at all is. */
  readonly oldest: bigint | undefined;
  /** The newest frame that is not yet acknowledged; undefined when there is none. */
  readonly newest: bigint | undefined;
  /**
   * When the oldest frame that is not yet acknowledged came into being, on the monotonic clock; undefined when there is
   * none. Of one that is on disk only it may be the time of the oldest in the same file.
   */
  readonly oldestBornAtMs: number | undefined;
  /** Lines that this target lost, all of them and by reason. */
  readonly droppedLines: number;
  readonly losses: Losses;
}

export interface SpoolStats {
  /** What is kept at the moment; of a spool on disk, also what is in the same file as something that is needed. */
  readonly frames: number;
  readonly bytes: number;
  /** Since the start, as are the losses. */
  readonly appendedLines: number;
  /** A line counts once for each target that needed it. */
  readonly droppedLines: number;
  readonly losses: Losses;
  /** Of a spool on disk. */
  readonly disk?: DiskStats;
}
