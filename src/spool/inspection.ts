import { TelemetryError, messageOf } from "../errors.ts";
import { errorCode } from "../lib/error-code.ts";
import { FORMAT_VERSION, type FrameHeader } from "./frame-format.ts";
import { isAlive, readLock, thisProcess } from "./lock.ts";
import { SegmentReader } from "./segment-reader.ts";
import { openRegularFile } from "./small-file.ts";
import { newerDirsIn, readableDirsIn, readCursors, segmentPaths } from "./writer-dir.ts";

/** A writer directory, as a process other than its agent reads it. */
export interface InspectedDir {
  readonly directory: string;
  /** Whether an agent uses it; "unknown" for an agent in another pod. */
  readonly inUse: boolean | "unknown";
  readonly cursors: ReadonlyMap<string, bigint>;
  readonly segments: readonly string[];
}

export type InspectedPart =
  | { readonly kind: "frame"; readonly header: FrameHeader; readonly payload: Uint8Array }
  | DamagedPart
  /** A segment of a newer version. */
  | { readonly kind: "newer"; readonly segment: string };

/** "unfinished": a write that is in progress or was interrupted, so no append of these bytes has resolved. */
export interface DamagedPart {
  readonly kind: "damage" | "unfinished";
  readonly segment: string;
  readonly offset: number;
  readonly bytes: number;
}

/** Totals of some frames. */
export interface FrameSum {
  readonly frames: number;
  readonly lines: number;
  /** On disk, with headers. */
  readonly bytes: number;
  /** When the oldest and the newest frame were appended, in milliseconds since the epoch. */
  readonly oldestMs: number;
  readonly newestMs: number;
}

/** What a writer directory contains. */
export interface DirSummary {
  readonly all: FrameSum;
  /** Target -> the frames that it has not acknowledged. */
  readonly backlogs: ReadonlyMap<string, FrameSum>;
  readonly damage: readonly DamagedPart[];
  readonly unfinishedBytes: number;
  /** Paths of segments of a newer version. */
  readonly newer: readonly string[];
}

const NO_FRAMES: FrameSum = { frames: 0, lines: 0, bytes: 0, oldestMs: Infinity, newestMs: -Infinity };

/**
 * Reads a spool directory, also while an agent uses it: takes no lock and changes nothing.
 * @throws {TelemetryError} E_SPOOL_NOT_FOUND
 */
export async function inspectSpool(
  root: string,
): Promise<{ readonly directories: readonly InspectedDir[]; readonly newer: readonly string[] }> {
  try {
    const [readable, newer] = [await readableDirsIn(root), await newerDirsIn(root)];
    if (readable.length + newer.length === 0) throw new Error("it contains no spool");
    return { directories: await Promise.all(readable.map(inspectDir)), newer };
  } catch (error) {
    throw new TelemetryError("E_SPOOL_NOT_FOUND", `cannot inspect ${root}: ${messageOf(error)}`, { cause: error });
  }
}

async function inspectDir(directory: string): Promise<InspectedDir> {
  const lock = await readLock(directory);
  const lockOwner = lock?.lockedBy;
  const inUse = lockOwner === undefined ? lock !== undefined && "unknown" : isAlive(lockOwner, thisProcess());
  return { directory, inUse, cursors: await readCursors(directory), segments: await segmentPaths(directory) };
}

/** Reads a whole directory and sums up what is in it. */
export async function summarize(directory: InspectedDir): Promise<DirSummary> {
  let all = NO_FRAMES;
  let unfinishedBytes = 0;
  const backlogs = new Map([...directory.cursors.keys()].map((cursor) => [targetOf(cursor), NO_FRAMES]));
  const damage: DamagedPart[] = [];
  const newer: string[] = [];
  for await (const part of partsOf(directory)) {
    if (part.kind === "frame") {
      all = withFrame(all, part.header);
      for (const target of neededBy(directory, part.header))
        backlogs.set(target, withFrame(backlogs.get(target) ?? NO_FRAMES, part.header));
    } else if (part.kind === "newer") newer.push(part.segment);
    else if (part.kind === "damage") damage.push(part);
    else unfinishedBytes += part.bytes;
  }
  return { all, backlogs, damage, unfinishedBytes, newer };
}

function withFrame(sum: FrameSum, { lines, bytes, createdAtMs }: FrameHeader): FrameSum {
  return {
    frames: sum.frames + 1,
    lines: sum.lines + lines,
    bytes: sum.bytes + bytes,
    oldestMs: Math.min(sum.oldestMs, createdAtMs),
    newestMs: Math.max(sum.newestMs, createdAtMs),
  };
}

/**
 * Yields everything in a directory in order, with payloads checked. Skips segments that are deleted during the read, and the second of
 * a frame that is there twice, as an agent does.
 */
export async function* partsOf({ segments }: InspectedDir): AsyncGenerator<InspectedPart> {
  let last = -1n;
  for (const segment of segments)
    for await (const part of partsOfSegment(segment, segment === segments.at(-1))) {
      if (part.kind === "frame") {
        if (part.header.sequence <= last) continue;
        last = part.header.sequence;
      }
      yield part;
    }
}

async function* partsOfSegment(segment: string, isNewest: boolean): AsyncGenerator<InspectedPart> {
  const file = await openRegularFile(segment).catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  });
  if (file === undefined) return;
  try {
    const reader = new SegmentReader(file, (await file.stat()).size);
    if (((await reader.version()) ?? FORMAT_VERSION) > FORMAT_VERSION) {
      yield { kind: "newer", segment };
      return;
    }
    for (let item = await reader.next(); item !== undefined; item = await reader.next()) {
      const payload = item.kind === "frame" ? await reader.payload(item) : undefined;
      if (item.kind === "frame" && payload !== undefined) yield { kind: "frame", header: item.header, payload };
      else {
        const kind = item.kind === "tail" && isNewest ? "unfinished" : "damage";
        yield { kind, segment, offset: item.offset, bytes: item.end - item.offset };
      }
    }
  } finally {
    await file.close();
  }
}

/** Returns the targets that have not acknowledged a frame. */
export function neededBy({ cursors }: InspectedDir, { sequence, targets }: FrameHeader): readonly string[] {
  const cursorNames = targets.filter((name) => sequence >= (cursors.get(name) ?? 0n));
  return [...new Set(cursorNames.map(targetOf))];
}

/** Returns the target of a cursor. The cursors of one target are `NAME`, `NAME/2` and so on: its lanes. */
export function targetOf(cursor: string): string {
  return cursor.split("/")[0] ?? cursor;
}
