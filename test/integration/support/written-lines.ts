import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { inspectSpool, partsOf, summarize, targetOf } from "../../../src/spool/inspection.ts";

/** All lines that were ever written to a spool with one target that is always down. */
export interface Written {
  /** Each once. The spool may hold it twice: taken over from another agent's directory that is not deleted yet. */
  readonly lines: readonly string[];
  /**
   * Number of damaged frames, and of missing frames after existing ones. Missing oldest frames may only mean that another agent was
   * taking the directory over; if a cap had dropped them, targets would have lines that are missing here.
   */
  readonly missingFrames: number;
  /** The targets of a frame -> the number of their lines. */
  readonly audiences: ReadonlyMap<string, number>;
}

/** Reads an unused spool with the commands for users. */
export async function writtenTo(spoolDir: string): Promise<Written> {
  const audiences = new Map<string, number>();
  let missingFrames = 0;
  const { directories } = await inspectSpool(spoolDir);
  for (const directory of directories) {
    let next: bigint | undefined;
    for await (const part of partsOf(directory)) {
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

/** Resolves to the queued lines of a target. */
export async function backlogOf(spoolDir: string, target: string): Promise<number> {
  const { directories } = await inspectSpool(spoolDir);
  const contents = await Promise.all(directories.map(summarize));
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
