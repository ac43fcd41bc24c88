import { ReadBatch } from "../spool/read-batch.ts";
import type { Frame, ReadLimits, SpoolCursor } from "../spool/spool.ts";
import { linesOf } from "./frames.ts";
import { Lane } from "./lane.ts";

/**
 * The newest lines of a lane with a backlog, which do not wait for their turn in it. Only this process knows that they were
 * taken: the next one sends them once more, which changes nothing.
 */
export class NewestFirstLane extends Lane {
  readonly #lane: Lane;

  /** Of what was, and will be, appended to the lane since then. */
  constructor(lane: Lane, sinceMs: number) {
    super(lane.name, lane.cursor, sinceMs);
    this.#lane = lane;
  }

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
