/** The directory of rejected lines in a spool directory. */
export const REJECTED_DIR = "rejected";

/** `TARGET.jsonl` is written to, and `TARGET.1.jsonl` is the oldest of those that are full. The name of a target has no dot. */
const NAME = /^([^.]+)(?:\.(\d{1,16}))?\.jsonl$/;

export interface RejectedName {
  readonly target: string;
  /** Infinity for the file that is written to. */
  readonly number: number;
}

/** Returns what the name of a file of rejected lines says; undefined if it is the name of another file. */
export function readRejectedName(name: string): RejectedName | undefined {
  const [, target, number = Infinity] = NAME.exec(name) ?? [];
  return target === undefined ? undefined : { target, number: Number(number) };
}
