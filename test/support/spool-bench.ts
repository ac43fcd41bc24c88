import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { systemClock } from "../../src/lib/clock.ts";
import type { SpoolObserver } from "../../src/spool/disk-monitor.ts";
import { DurableSpool, type DurableSpoolOptions } from "../../src/spool/durable-spool.ts";
import { expandFrame } from "../../src/spool/gzip-member.ts";
import type { ReadLimits, Spool, SpoolCursor } from "../../src/spool/spool.ts";

export const HUGE = { maxBytes: 1 << 30, maxAgeMs: 3_600_000_000 };
export const ALL: ReadLimits = { maxLines: 1_000_000_000, maxRawBytes: 1 << 30 };
/** The directory to which a single agent writes. */
export const MAIN = "v1";

/** An observer that records each call as a text. */
export class SpoolNotes implements SpoolObserver {
  readonly events: string[] = [];

  failing(error: Error): void {
    this.events.push(`failing ${error.message}`);
  }

  recovered(): void {
    this.events.push("recovered");
  }

  found(error: Error & { readonly code: string }): void {
    this.events.push(`found ${error.code}`);
  }

  takenOver(_directory: string, lines: number): void {
    this.events.push(`taken over ${lines}`);
  }
}

/** A spool that is closed when the scope ends, and its observer's calls. */
export class SpoolBench implements AsyncDisposable {
  readonly spool: DurableSpool;
  readonly notes: SpoolNotes;

  private constructor(spool: DurableSpool, notes: SpoolNotes) {
    this.spool = spool;
    this.notes = notes;
  }

  static async open(directory: string, change: Partial<DurableSpoolOptions> = {}): Promise<SpoolBench> {
    const notes = new SpoolNotes();
    const options = { directory, caps: HUGE, clock: systemClock, observer: notes, minFreeShare: 0, ...change };
    return new SpoolBench(await DurableSpool.open(options), notes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.spool.close();
  }
}

/** Appends one line that contains a number. */
export async function appendNumber(spool: Spool, number: number, targets?: readonly string[]): Promise<void> {
  await spool.append({ lines: 1, bytes: Buffer.from(`m f=${number}i 1\n`) }, targets);
}

/** Resolves to the numbers of all lines in the backlog of a cursor. */
export async function numbersOf(cursor: SpoolCursor): Promise<number[]> {
  const frames = await cursor.read(ALL);
  const texts = await Promise.all(frames.map(async (frame) => Buffer.from(await expandFrame(frame)).toString()));
  return [...texts.join("").matchAll(/f=(\d+)i/g)].map(([, number]) => Number(number));
}

/** Reads and acknowledges the whole backlog of a cursor; resolves to the numbers of its lines. */
export async function takeAll(cursor: SpoolCursor): Promise<number[]> {
  const numbers: number[] = [];
  while (cursor.backlog.frames > 0) {
    numbers.push(...(await numbersOf(cursor)));
    const last = (await cursor.read(ALL)).at(-1);
    if (last !== undefined) cursor.acknowledge(last.sequence);
  }
  return numbers;
}

/** Resolves to the name and content of every file in a directory. */
export async function contentOf(directory: string): Promise<ReadonlyMap<string, Buffer>> {
  const names = (await readdir(directory)).sort();
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(path.join(directory, name))] as const)),
  );
}

/** Writes files by name. */
export async function restore(directory: string, content: ReadonlyMap<string, Uint8Array>): Promise<void> {
  for (const [name, bytes] of content) await writeFile(path.join(directory, name), bytes);
}
