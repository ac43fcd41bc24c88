import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { contentsOf } from "../../../src/spool/contents.ts";
import { inspectSpool, partsOf, targetOf } from "../../../src/spool/inspection.ts";

/** What was ever written to a spool of which one target has taken nothing. */
export interface Written {
  /** Each once, though it may be there twice: taken over from another agent's directory, which is not deleted yet. */
  readonly lines: readonly string[];
  /**
   * Frames that are not there any more behind others that are, or are not intact. That the oldest are gone may only mean that
   * another agent was taking the directory over; had a cap taken them, targets would have lines that are not here.
   */
  readonly missingFrames: number;
  /** The targets of a frame -> how many lines are for these. */
  readonly audiences: ReadonlyMap<string, number>;
}

/** Reads a spool that nobody uses, as a user would. */
export async function writtenTo(spoolDir: string): Promise<Written> {
  const audiences = new Map<string, number>();
  let missingFrames = 0;
  const { homes } = await inspectSpool(spoolDir);
  for (const home of homes) {
    let next: bigint | undefined;
    for await (const part of partsOf(home)) {
      if (part.kind !== "frame") {
        missingFrames++;
        continue;
      }
      const { sequence, targets, lines } = part.header;
      missingFrames += Number(sequence - (next ?? sequence));
      next = sequence + 1n;
      const audience = [...new Set(targets.map(targetOf))].sort().join(" ");
      audiences.set(audience, (audiences.get(audience) ?? 0) + lines);
    }
  }
  return { lines: await exported(spoolDir), missingFrames, audiences };
}

/** Lines that a target has not taken. */
export async function backlogOf(spoolDir: string, target: string): Promise<number> {
  const { homes } = await inspectSpool(spoolDir);
  const contents = await Promise.all(homes.map(contentsOf));
  return contents.reduce((sum, { backlogs }) => sum + (backlogs.get(target)?.lines ?? 0), 0);
}

async function exported(spoolDir: string): Promise<readonly string[]> {
  const args = ["dist/kubevirt-telemetry.js", "spool", "export", spoolDir];
  const child = spawn("node", args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "close");
  const lines = new Set<string>();
  for await (const line of createInterface({ input: child.stdout })) lines.add(line);
  const [code] = (await ended) as [number | null];
  if (code !== 0) throw new Error(`spool export ended with ${code}`);
  return [...lines];
}
