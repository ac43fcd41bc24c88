import { TelemetryError } from "../errors.ts";
import { foreignText } from "../lib/display-text.ts";
import { expandFrame } from "../spool/gzip-member.ts";
import {
  inspectSpool,
  neededBy,
  partsOf,
  summarize,
  targetOf,
  type DamagedPart,
  type DirSummary,
  type FrameSum,
  type InspectedDir,
} from "../spool/inspection.ts";

/** Of a path, and of a target in the files of a directory that another process may have written. */
const MAX_NAME = 500;
/** A configuration has at most 8 targets. Others are of earlier configurations. */
const MAX_TARGETS = 20;

type Print = (line: string) => void;

/** Prints the content of a spool directory. Resolves to the exit code. */
export async function inspectCommand(root: string, print: Print): Promise<number> {
  const { directories, newer } = await inspectSpool(root);
  for (const directory of directories) for (const line of describe(directory, await summarize(directory))) print(line);
  for (const directory of newer) print(describeNewer(directory));
  return 0;
}

/** Prints every damaged place, and every part that this version cannot check. Resolves to the exit code: 1 if there is one. */
export async function verifyCommand(root: string, print: Print): Promise<number> {
  const { directories, newer } = await inspectSpool(root);
  const unchecked = [...newer];
  let frames = 0;
  let places = 0;
  for (const directory of directories) {
    const summary = await summarize(directory);
    for (const place of summary.damage) print(describeDamage(place));
    frames += summary.all.frames;
    places += summary.damage.length;
    unchecked.push(...summary.newer);
  }
  for (const part of unchecked) print(`${describeNewer(part)}, not checked`);
  const notChecked = unchecked.length > 0 ? `, ${counted(unchecked.length, "part")} not checked` : "";
  print(`${counted(frames, "frame")} intact, ${counted(places, "place")} damaged${notChecked}`);
  return places + unchecked.length > 0 ? 1 : 0;
}

/**
 * Writes the lines of a spool directory: all, or the backlog of one target. Passes each part that it must leave out to
 * `reportLeftOut`: damage, whose target is not known, and what a newer version has written. Resolves to the exit code: 1 if there
 * is one. A write that is in progress is not left out: no append of it has resolved.
 * @throws {TelemetryError} E_SPOOL_NOT_FOUND if the spool has no such target
 */
export async function exportCommand(
  root: string,
  { target }: { readonly target?: string },
  write: (lines: Uint8Array) => Promise<void>,
  reportLeftOut: Print,
): Promise<number> {
  const { directories, newer } = await inspectSpool(root);
  let complete = newer.length === 0;
  const leaveOut = (what: string): void => {
    complete = false;
    reportLeftOut(`left out: ${what}`);
  };
  for (const directory of newer) leaveOut(describeNewer(directory));
  const targets = new Set(directories.flatMap(({ cursors }) => [...cursors.keys()].map(targetOf)));
  for (const directory of directories) {
    for await (const part of partsOf(directory)) {
      if (part.kind === "damage") leaveOut(describeDamage(part));
      if (part.kind === "newer") leaveOut(describeNewer(part.segment));
      if (part.kind !== "frame") continue;
      const { header, payload } = part;
      for (const cursor of header.targets) targets.add(targetOf(cursor));
      if (target === undefined || neededBy(directory, header).includes(target))
        await write(await expandFrame({ ...header, payload }));
    }
  }
  if (target !== undefined && !targets.has(target)) throw unknownTarget(root, target, targets);
  return complete ? 0 : 1;
}

function describeDamage({ segment, offset, bytes }: DamagedPart): string {
  return `${named(segment)}: ${bytes} bytes from offset ${offset} are damaged`;
}

function describeNewer(part: string): string {
  return `${named(part)}: written by a newer version`;
}

function unknownTarget(root: string, target: string, targets: ReadonlySet<string>): TelemetryError {
  const names = [...targets].sort().slice(0, MAX_TARGETS).join(", ");
  const known = names === "" ? "it has no target" : `its targets are ${names}`;
  return new TelemetryError("E_SPOOL_NOT_FOUND", `${root} has no target ${named(target)}: ${known}`);
}

function describe({ directory, inUse, segments }: InspectedDir, contents: DirSummary): string[] {
  const { all, backlogs, damage, unfinishedBytes, newer } = contents;
  const use = inUse === true ? "in use" : inUse === false ? "not in use" : "maybe in use";
  return [
    `${named(directory)}: ${use}, ${counted(segments.length, "segment")}, ${describeSum(all)}`,
    ...[...backlogs].map(
      ([target, sum]) => `  target ${named(target)}: ${sum.frames === 0 ? "no backlog" : describeSum(sum)}`,
    ),
    ...newer.map((segment) => `  ${describeNewer(segment)}`),
    ...(unfinishedBytes > 0 ? [`  ${counted(unfinishedBytes, "byte")} of an unfinished write`] : []),
    ...(damage.length > 0 ? [`  ${counted(damage.length, "place")} damaged: run spool verify`] : []),
  ];
}

function named(text: string): string {
  return foreignText(text, MAX_NAME);
}

function describeSum({ frames, lines, bytes, oldestMs, newestMs }: FrameSum): string {
  const size = `${counted(lines, "line")} in ${counted(frames, "frame")} of ${sizeOf(bytes)}`;
  return frames === 0 ? size : `${size}, from ${timeOf(oldestMs)} to ${timeOf(newestMs)}`;
}

function sizeOf(bytes: number): string {
  return bytes < 2 ** 20 ? `${(bytes / 2 ** 10).toFixed(1)} KiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
