import { expandFrame, splitBatch, type BatchLimits } from "../spool/frame-payload.ts";
import type { Frame, ReadLimits, SpoolCursor } from "../spool/spool.ts";
import { DrainPace } from "./drain-pace.ts";
import { leading, linesOf, oneOf, rawBytesOf } from "./frames.ts";
import type { NotDelivered } from "./outcome.ts";
import { BadLineSearch } from "./bad-line-search.ts";

/** Enough to find a frame behind those of a request. */
const LOOK_BEHIND = { lines: 5_000, rawBytes: 2 << 20 };
const ONE_LINE = { maxLines: 1, maxBytes: Number.POSITIVE_INFINITY };

/** A batch is not taken, and it is not known yet whether for its own sake. */
interface SuspectBatch {
  /** Sequence number of its first frame. */
  readonly head: bigint;
  readonly kind: NotDelivered["kind"];
  readonly sinceMs: number;
  readonly attempts: number;
  /** How many requests the target had taken when it began. */
  readonly passes: number;
}

/** Lines for a target that are sent in order. Times are on the monotonic clock. */
export class Lane {
  /** Of its cursor in the spool. */
  readonly name: string;
  readonly cursor: SpoolCursor;
  /** What it sends was appended since then, in milliseconds since the epoch. */
  readonly sinceMs: number;
  readonly pace = new DrainPace();
  /** Sequence numbers of frames that were taken before their turn, and are passed over when it comes. */
  readonly alreadySent = new Set<bigint>();
  search: BadLineSearch | undefined;
  lastSentMs = Number.NEGATIVE_INFINITY;
  /** Before this it would go too fast. */
  pacedUntilMs = Number.NEGATIVE_INFINITY;
  /** Before this there is no use in trying again. */
  retryAtMs = Number.NEGATIVE_INFINITY;
  #trouble: SuspectBatch | undefined;

  constructor(name: string, cursor: SpoolCursor, sinceMs = Number.NEGATIVE_INFINITY) {
    this.name = name;
    this.cursor = cursor;
    this.sinceMs = sinceMs;
  }

  get isEmpty(): boolean {
    return this.search === undefined && this.cursor.backlog.frames === 0;
  }

  /** What it has to send. */
  get backlog(): SpoolCursor["backlog"] {
    return this.cursor.backlog;
  }

  /** Whether there is enough for a request of so many lines. */
  fills(lines: number): boolean {
    return this.backlog.lines >= lines;
  }

  /** The oldest frames that are to be sent, up to the limits but at least one when there is any. */
  async read(limits: ReadLimits): Promise<readonly Frame[]> {
    const isTaken = ({ sequence }: Frame): boolean => this.alreadySent.has(sequence);
    for (;;) {
      const frames = await this.cursor.read(limits);
      const passed = leading(frames, isTaken);
      if (passed.length === 0) return leading(frames, (frame) => !isTaken(frame));
      for (const { sequence } of passed) {
        this.cursor.acknowledge(sequence);
        this.alreadySent.delete(sequence);
      }
    }
  }

  /** The target has the frames up to this one, which were read. */
  acknowledge(sequence: bigint): void {
    this.cursor.acknowledge(sequence);
  }

  /** These frames are to be sent in parts. */
  async startSearch(frames: readonly Frame[], limits: BatchLimits, random: () => number): Promise<BadLineSearch> {
    const otherLine = (): Promise<Uint8Array | undefined> => this.#lineBehind(frames, random());
    return (this.search = await BadLineSearch.of(frames, { ...limits, random, otherLine }));
  }

  /** Its first batch, which these frames are, may be at fault itself. Returns what was known of that before. */
  suspectBatch(frames: readonly Frame[], kind: NotDelivered["kind"], now: Pick<SuspectBatch, "sinceMs" | "passes">): SuspectBatch {
    const head = frames[0]?.sequence ?? 0n;
    const before = this.#trouble;
    const known = before?.head === head && before.kind === kind ? before : { ...now, head, kind, attempts: 0 };
    this.#trouble = { ...known, attempts: known.attempts + 1 };
    return known;
  }

  /** Its first batch is not at fault. */
  clearSuspicion(): void {
    this.#trouble = undefined;
  }

  /** One line of the frames behind these; `share` from 0 to 1 says which. */
  async #lineBehind(frames: readonly Frame[], share: number): Promise<Uint8Array | undefined> {
    const maxLines = linesOf(frames) + LOOK_BEHIND.lines;
    const read = await this.read({ maxLines, maxRawBytes: rawBytesOf(frames) + LOOK_BEHIND.rawBytes });
    const last = frames.at(-1)?.sequence ?? -1n;
    const behind = read.filter(({ sequence }) => sequence > last);
    const frame = oneOf(behind, share);
    if (frame === undefined) return undefined;
    const bytes = await expandFrame(frame).catch(() => undefined);
    return bytes && oneOf(splitBatch({ lines: frame.lines, bytes }, ONE_LINE), share)?.bytes;
  }
}
