import { expandFrame } from "../spool/gzip-member.ts";
import { ReadBatch } from "../spool/read-batch.ts";
import type { Frame, ReadLimits, SpoolCursor } from "../spool/spool.ts";
import { BadLineSearch, type SearchOptions } from "./bad-line-search.ts";
import { indexAt } from "./bisection.ts";
import { DrainPace } from "./drain-pace.ts";
import type { NotDelivered } from "./outcome.ts";

/** How far a probe line is searched behind the frames of a request. Enough for at least one more frame. */
const LOOK_BEHIND = { lines: 5_000, rawBytes: 2 << 20 };

/** A batch that was not delivered, and that may be the cause itself. */
interface SuspectBatch {
  /** Sequence number of its first frame. */
  readonly head: bigint;
  readonly kind: NotDelivered["kind"];
  /** When it failed first. */
  readonly sinceMs: number;
  readonly attempts: number;
  /** Number of requests that the target had accepted when it failed first. */
  readonly acceptedRequests: number;
}

/** Lines of a target that are sent in order. Times are on the monotonic clock unless stated otherwise. */
export class Lane {
  /** The name of its cursor in the spool. */
  readonly name: string;
  readonly cursor: SpoolCursor;
  /** It sends only frames that were appended at this time or later, in milliseconds since the epoch. */
  readonly sinceMs: number;
  readonly pace = new DrainPace();
  /** Sequence numbers of frames that a NewestFirstLane has delivered. They are skipped here. */
  readonly alreadySent = new Set<bigint>();
  search: BadLineSearch | undefined;
  lastSentMs = Number.NEGATIVE_INFINITY;
  /** Not sent before this time, to keep to the pace. */
  pacedUntilMs = Number.NEGATIVE_INFINITY;
  /** Not sent before this time, because of a failure. */
  retryAtMs = Number.NEGATIVE_INFINITY;
  #suspect: SuspectBatch | undefined;

  constructor(name: string, cursor: SpoolCursor, sinceMs = Number.NEGATIVE_INFINITY) {
    this.name = name;
    this.cursor = cursor;
    this.sinceMs = sinceMs;
  }

  get isEmpty(): boolean {
    return this.search === undefined && this.cursor.backlog.frames === 0;
  }

  /** What is still to be sent. */
  get backlog(): SpoolCursor["backlog"] {
    return this.cursor.backlog;
  }

  /** Whether the lane has enough lines for a request of this size. */
  fills(lines: number): boolean {
    return this.backlog.lines >= lines;
  }

  /** Returns the oldest frames to send, up to the limits, but at least one if there is any. */
  async read(limits: ReadLimits): Promise<readonly Frame[]> {
    const isSent = ({ sequence }: Frame): boolean => this.alreadySent.has(sequence);
    for (;;) {
      const frames = await this.cursor.read(limits);
      const sent = takeWhile(frames, isSent);
      if (sent.length === 0) return takeWhile(frames, (frame) => !isSent(frame));
      for (const { sequence } of sent) {
        this.cursor.acknowledge(sequence);
        this.alreadySent.delete(sequence);
      }
    }
  }

  /** Notes that the frames up to this one, which were read before, need not be sent any more. */
  acknowledge(sequence: bigint): void {
    this.cursor.acknowledge(sequence);
  }

  /** Starts to send these frames in parts, to find the bad lines. */
  async startSearch(frames: readonly Frame[], options: SearchOptions): Promise<BadLineSearch> {
    return (this.search = await BadLineSearch.of(frames, options, () => this.#lineBehind(frames, options)));
  }

  /** Counts a failure of the first batch, which these frames are. Returns what was known about the batch before. */
  suspectBatch(
    frames: readonly Frame[],
    kind: NotDelivered["kind"],
    now: Pick<SuspectBatch, "sinceMs" | "acceptedRequests">,
  ): SuspectBatch {
    const head = frames[0]?.sequence ?? 0n;
    const before = this.#suspect;
    const known = before?.head === head && before.kind === kind ? before : { ...now, head, kind, attempts: 0 };
    this.#suspect = { ...known, attempts: known.attempts + 1 };
    return known;
  }

  clearSuspicion(): void {
    this.#suspect = undefined;
  }

  /** Returns a random line of the frames behind these, if there are any. */
  async #lineBehind(frames: readonly Frame[], { protocol, random }: SearchOptions): Promise<Uint8Array | undefined> {
    const maxLines = linesOf(frames) + LOOK_BEHIND.lines;
    const read = await this.read({ maxLines, maxRawBytes: rawBytesOf(frames) + LOOK_BEHIND.rawBytes });
    const last = frames.at(-1)?.sequence ?? -1n;
    const behind = read.filter(({ sequence }) => sequence > last);
    const fraction = random();
    const frame = behind[indexAt(fraction, behind.length)];
    if (frame === undefined) return undefined;
    const bytes = await expandFrame(frame).catch(() => undefined);
    if (bytes === undefined) return undefined;
    const offsets = protocol.split(bytes);
    const piece = indexAt(fraction, offsets.length - 1);
    return bytes.subarray(offsets[piece], offsets[piece + 1]);
  }
}

/**
 * The newest frames of a lane that has a backlog: they are sent before the backlog. Only this process knows that they were
 * delivered. The next process sends them again, which changes nothing.
 */
export class NewestFirstLane extends Lane {
  readonly #lane: Lane;

  /** Covers the frames that are appended to `lane` at or after `sinceMs`, in milliseconds since the epoch. */
  constructor(lane: Lane, sinceMs: number) {
    super(lane.name, lane.cursor, sinceMs);
    this.#lane = lane;
  }

  /** Whether the whole lane is empty: as long as it has a backlog, newer frames may come. */
  override get isEmpty(): boolean {
    return this.cursor.backlog.frames === 0;
  }

  override get backlog(): SpoolCursor["backlog"] {
    const frames = this.#frames();
    const bytes = frames.reduce((sum, { payload }) => sum + payload.length, 0);
    return { frames: frames.length, lines: linesOf(frames), bytes };
  }

  override read(limits: ReadLimits): Promise<readonly Frame[]> {
    const batch = new ReadBatch(limits);
    for (const frame of this.#frames()) {
      if (!batch.fits(frame)) break;
      batch.add(frame);
    }
    return Promise.resolve(batch.frames);
  }

  override acknowledge(upTo: bigint): void {
    for (const { sequence } of this.#frames()) if (sequence <= upTo) this.#lane.alreadySent.add(sequence);
  }

  #frames(): readonly Frame[] {
    return this.cursor.recent(this.sinceMs).filter(({ sequence }) => !this.#lane.alreadySent.has(sequence));
  }
}

export function linesOf(frames: readonly Frame[]): number {
  return frames.reduce((sum, { lines }) => sum + lines, 0);
}

/** Returns the size of the frames before compression, in bytes. */
export function rawBytesOf(frames: readonly Frame[]): number {
  return frames.reduce((sum, { rawBytes }) => sum + rawBytes, 0);
}

/** Returns the longest prefix whose items satisfy `holds`. */
function takeWhile<T>(items: readonly T[], holds: (item: T) => boolean): readonly T[] {
  const end = items.findIndex((item) => !holds(item));
  return end === -1 ? items : items.slice(0, end);
}
