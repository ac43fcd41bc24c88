import { open } from "node:fs/promises";
import { TelemetryError, messageOf } from "../errors.ts";
import { errorCode } from "./disk-record.ts";
import { FORMAT_VERSION, type FrameHeader } from "./frame-format.ts";
import { isAlive, seeLock, thisProcess } from "./lock.ts";
import { SegmentReader } from "./segment-reader.ts";
import { readCursors, segmentPaths } from "./spool-files.ts";
import { homesIn } from "./spool-home.ts";

/** A directory that one agent writes, or wrote, seen by another process. */
export interface InspectedHome {
  readonly directory: string;
  /** Whether an agent uses it; "unknown": one of another pod, perhaps. */
  readonly inUse: boolean | "unknown";
  readonly cursors: ReadonlyMap<string, bigint>;
  readonly segments: readonly string[];
}

export type InspectedPart =
  | { readonly kind: "frame"; readonly header: FrameHeader; readonly payload: Uint8Array }
  /** Unfinished: a write that is going on, or was broken off before anybody was told that it is done. */
  | {
      readonly kind: "damage" | "unfinished";
      readonly segment: string;
      readonly offset: number;
      readonly bytes: number;
    }
  /** Of a newer version. */
  | { readonly kind: "newer"; readonly segment: string };

/**
 * Looks into a spool directory, also while an agent uses it: it takes no lock and changes nothing.
 * @throws {TelemetryError} E_SPOOL_NOT_FOUND
 */
export async function inspectSpool(
  root: string,
): Promise<{ readonly homes: readonly InspectedHome[]; readonly newer: readonly string[] }> {
  try {
    const { homes, newer } = await homesIn(root);
    if (homes.length + newer.length === 0) throw new Error("it holds no spool");
    return { homes: await Promise.all(homes.map(inspectHome)), newer };
  } catch (error) {
    throw new TelemetryError("E_SPOOL_NOT_FOUND", `${root} cannot be looked into: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function inspectHome(directory: string): Promise<InspectedHome> {
  const lock = await seeLock(directory);
  const holder = lock?.holder;
  const inUse = holder === undefined ? lock !== undefined && "unknown" : isAlive(holder, thisProcess());
  return { directory, inUse, cursors: await readCursors(directory), segments: await segmentPaths(directory) };
}

/** Everything in a directory, checked, in order. What is deleted meanwhile is left out. */
export async function* partsOf({ segments }: InspectedHome): AsyncGenerator<InspectedPart> {
  for (const segment of segments) yield* partsOfSegment(segment, segment === segments.at(-1));
}

async function* partsOfSegment(segment: string, isNewest: boolean): AsyncGenerator<InspectedPart> {
  const file = await open(segment, "r").catch((error: unknown) => {
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
    for (let found = await reader.next(); found !== undefined; found = await reader.next()) {
      const payload = found.kind === "frame" ? await reader.payload(found) : undefined;
      if (found.kind === "frame" && payload !== undefined) yield { kind: "frame", header: found.header, payload };
      else {
        const kind = found.kind === "tail" && isNewest ? "unfinished" : "damage";
        yield { kind, segment, offset: found.offset, bytes: found.end - found.offset };
      }
    }
  } finally {
    await file.close();
  }
}

/** The targets that have not taken a frame. */
export function neededBy({ cursors }: InspectedHome, { sequence, targets }: FrameHeader): readonly string[] {
  const cursorNames = targets.filter((name) => sequence >= (cursors.get(name) ?? 0n));
  return [...new Set(cursorNames.map(targetOf))];
}

/** A target may have several cursors: behind its name and a slash each has a number. */
export function targetOf(cursor: string): string {
  return cursor.split("/")[0] ?? cursor;
}
