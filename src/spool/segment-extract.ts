import { open } from "node:fs/promises";
import type { ReadBatch } from "./read-batch.ts";
import { SegmentReader, type FoundFrame } from "./segment-reader.ts";
import type { Frame } from "./spool.ts";

/** A part of a segment file. */
export interface Extract {
  readonly path: string;
  readonly offset: number;
  readonly size: number;
}

export interface ExtractedFrame {
  readonly frame: Frame;
  /** Where it ends in the file. */
  readonly end: number;
}

/** Errors of a file or its disk, not of this process: they will not go away. */
const GONE = new Set(["ENOENT", "EIO", "ESTALE", "EUCLEAN", "ENODATA"]);

/**
 * Reads the frames that are wanted into a batch, as long as they fit. Damage is passed over, and told by its offset; so is
 * a file that cannot be read. `complete`: nothing is behind what was read.
 */
export async function extractFrames(
  { path, offset, size }: Extract,
  want: { readonly from: bigint; readonly before: bigint | undefined; readonly target: string },
  batch: ReadBatch,
): Promise<{
  readonly frames: readonly ExtractedFrame[];
  readonly damage: readonly number[];
  readonly complete: boolean;
}> {
  const frames: ExtractedFrame[] = [];
  const damage: number[] = [];
  const wanted = ({ header }: FoundFrame): boolean =>
    header.sequence >= want.from && header.targets.includes(want.target);
  try {
    await using file = await open(path, "r");
    const reader = new SegmentReader(file, size, offset);
    for (let found = await reader.next(); found !== undefined; found = await reader.next()) {
      if (found.kind !== "frame") {
        damage.push(found.offset);
        continue;
      }
      if (want.before !== undefined && found.header.sequence >= want.before) break;
      if (!wanted(found)) continue;
      if (!batch.fits(found.header)) return { frames, damage, complete: false };
      const payload = await reader.payload(found);
      if (payload === undefined) {
        damage.push(found.offset);
        continue;
      }
      const { sequence, lines, rawBytes, createdAtMs } = found.header;
      const frame = { sequence, lines, rawBytes, createdAtMs, payload };
      batch.add(frame);
      frames.push({ frame, end: found.end });
    }
  } catch (error) {
    if (!GONE.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
    damage.push(-1);
  }
  return { frames, damage, complete: true };
}
