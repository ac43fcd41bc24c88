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
  readonly stats: SpoolStats;
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
  /** One gzip member. Members may be concatenated into one request body. */
  readonly payload: Uint8Array;
}

export interface ReadLimits {
  readonly maxLines: number;
  readonly maxRawBytes: number;
}

export interface SpoolCursor {
  /** The oldest frames not yet acknowledged, up to the limits but at least one when there is any; stays where it is. */
  read(limits: ReadLimits): Promise<readonly Frame[]>;
  /** Advances behind the frame with this sequence number. */
  acknowledge(sequence: bigint): void;
  /** Resolves when there is something to read, or when the signal aborts. */
  ready(signal: AbortSignal): Promise<void>;
  /** What is not yet acknowledged; `bytes` are compressed ones. Cheap to ask for. */
  readonly backlog: { readonly frames: number; readonly lines: number; readonly bytes: number };
  /** The oldest frame that is not yet acknowledged; undefined when there is none. */
  readonly oldest: bigint | undefined;
  /** The newest one. */
  readonly newest: bigint | undefined;
  /** Lines that this target lost to a cap. */
  readonly droppedLines: number;
}

export interface SpoolStats {
  readonly frames: number;
  readonly bytes: number;
  readonly appendedLines: number;
  readonly droppedLines: number;
}
