import { neededBy, partsOf, targetOf, type InspectedHome, type InspectedPart } from "./inspection.ts";

/** A number of frames, summed up. */
export interface Sum {
  readonly frames: number;
  readonly lines: number;
  /** As they are on disk. */
  readonly bytes: number;
  /** Milliseconds since the epoch: when the oldest and the newest were appended. */
  readonly oldestMs: number;
  readonly newestMs: number;
}

/** What is in a directory. */
export interface Contents {
  readonly all: Sum;
  /** By target: what it has not taken. */
  readonly backlogs: ReadonlyMap<string, Sum>;
  readonly damage: readonly Extract<InspectedPart, { readonly segment: string; readonly bytes: number }>[];
  readonly unfinishedBytes: number;
  /** Segments of a newer version. */
  readonly newer: readonly string[];
}

const NONE: Sum = { frames: 0, lines: 0, bytes: 0, oldestMs: Infinity, newestMs: -Infinity };

export async function contentsOf(home: InspectedHome): Promise<Contents> {
  let all = NONE;
  let unfinishedBytes = 0;
  const backlogs = new Map([...home.cursors.keys()].map((cursor) => [targetOf(cursor), NONE]));
  const damage: Contents["damage"][number][] = [];
  const newer: string[] = [];
  for await (const part of partsOf(home)) {
    if (part.kind === "frame") {
      all = plus(all, part.header);
      for (const target of neededBy(home, part.header))
        backlogs.set(target, plus(backlogs.get(target) ?? NONE, part.header));
    } else if (part.kind === "newer") newer.push(part.segment);
    else if (part.kind === "damage") damage.push(part);
    else unfinishedBytes += part.bytes;
  }
  return { all, backlogs, damage, unfinishedBytes, newer };
}

function plus(sum: Sum, frame: { readonly lines: number; readonly bytes: number; readonly createdAtMs: number }): Sum {
  return {
    frames: sum.frames + 1,
    lines: sum.lines + frame.lines,
    bytes: sum.bytes + frame.bytes,
    oldestMs: Math.min(sum.oldestMs, frame.createdAtMs),
    newestMs: Math.max(sum.newestMs, frame.createdAtMs),
  };
}
