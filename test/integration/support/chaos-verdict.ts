import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { parseLines, type Point } from "../../../scripts/demo/line-protocol-parser.ts";
import { unspoil } from "../../support/spoiled-lines.ts";
import type { Row } from "./csv.ts";

/** The result for one target. Every list should be empty. */
export interface Verdict {
  /** Number of written lines that the target has once and with their values. */
  readonly stored: number;
  /** Number of bad lines that the target does not have and that are on record as rejected. */
  readonly rejected: number;
  /** Lines that the target does not have and that are not on record. */
  readonly lost: readonly string[];
  /** Good lines that are on record as rejected. */
  readonly givenUp: readonly string[];
  /** Lines that the target has with other values. */
  readonly different: readonly string[];
  /** Points that the target has and that were never written to the spool. */
  readonly unwritten: readonly string[];
}

export interface Examined {
  readonly name: string;
  /** InfluxQL; values as written, times in nanoseconds. */
  query(q: string): Promise<Row[]>;
  /** Lines that the server must reject and name. */
  isBad(line: string): boolean;
  /** Lines that the server must reject without naming them. */
  isConflicting(line: string): boolean;
}

/** Nanoseconds of lines that are compared at a time. */
const SLICE_NS = 10_000_000_000n;
/** Columns of every result, which are neither tags nor fields. */
const META = new Set(["time", "tags"]);

type Slice = ReadonlyMap<string, readonly string[]>;

/** Compares what a target has with the lines that were written to the spool, in both directions and digit by digit. */
export async function judge(target: Examined, lines: readonly string[], spoolDir: string): Promise<Verdict> {
  const { query } = target;
  const onRecord = await linesOnRecord(spoolDir, target.name);
  const verdict = { stored: 0, rejected: 0, lost: [], givenUp: [], different: [], unwritten: [] } as Mutable;
  const slices = Map.groupBy(lines, (line) => timeOf(line) / SLICE_NS);
  const numbers = [...slices.keys()].sort((one, other) => (one < other ? -1 : 1));
  const [first = 0n, last = 0n] = [numbers[0], numbers.at(-1)];
  const measurements = await query("SHOW MEASUREMENTS").then((rows) => rows.map((row) => row["name"] ?? ""));
  for (let number = first; number <= last; number++) {
    const byMeasurement: Slice = Map.groupBy(slices.get(number) ?? [], (line) => line.split(",", 1)[0] ?? "");
    for (const measurement of new Set([...byMeasurement.keys(), ...measurements])) {
      const rows = await query(`SELECT * FROM "${measurement}" WHERE ${between(number * SLICE_NS)}`);
      compare(byMeasurement.get(measurement) ?? [], rows, { measurement, target, onRecord, verdict });
    }
  }
  for (const measurement of measurements)
    for (const range of [`time < ${first * SLICE_NS}`, `time >= ${(last + 1n) * SLICE_NS}`])
      for (const row of await query(`SELECT * FROM "${measurement}" WHERE ${range}`))
        verdict.unwritten.push(`${measurement} ${JSON.stringify(row)}`);
  return verdict;
}

type Mutable = { -readonly [Key in keyof Verdict]: Verdict[Key] extends number ? number : string[] };

function between(fromNs: bigint): string {
  return `time >= ${fromNs} AND time < ${fromNs + SLICE_NS}`;
}

function timeOf(line: string): bigint {
  return BigInt(line.slice(line.lastIndexOf(" ") + 1));
}

interface Case {
  readonly measurement: string;
  readonly target: Examined;
  readonly onRecord: ReadonlySet<string>;
  readonly verdict: Mutable;
}

/** The lines and the rows of one measurement and one span of time. */
function compare(
  lines: readonly string[],
  rows: readonly Row[],
  { measurement, target, onRecord, verdict }: Case,
): void {
  const points = lines.length === 0 ? [] : parseLines(`${lines.join("\n")}\n`);
  const tagKeys = [...new Set(points.flatMap(({ tags }) => [...tags.keys()]))].sort();
  const rest = new Map(rows.map((row) => [identity(tagKeys, row, row["time"]), row]));
  for (const [index, point] of points.entries()) {
    const line = lines[index] ?? "";
    const key = identity(tagKeys, Object.fromEntries(point.tags), String(point.timestamp));
    const row = rest.get(key);
    rest.delete(key);
    if (row !== undefined) {
      if (isSame(point, row)) verdict.stored++;
      else verdict.different.push(`${line} is ${JSON.stringify(row)}`);
    } else if (!onRecord.has(line)) verdict.lost.push(line);
    else if (target.isBad(line) || target.isConflicting(line)) verdict.rejected++;
    else verdict.givenUp.push(line);
  }
  for (const row of rest.values()) verdict.unwritten.push(`${measurement} ${JSON.stringify(row)}`);
}

function identity(tagKeys: readonly string[], tags: Row, time: string | undefined): string {
  return JSON.stringify([time, ...tagKeys.map((key) => tags[key] ?? "")]);
}

function isSame({ tags, fields, timestamp }: Point, row: Row): boolean {
  const expected = new Map<string, bigint | number | string | boolean>([
    ...tags,
    ...fields,
    ["time", String(timestamp)],
  ]);
  return (
    Object.entries(row).every(([column, text]) => {
      const value = expected.get(column);
      if (value === undefined) return text === "" || META.has(column);
      // The server may write a float in another form; an integer is compared as text.
      return typeof value === "number" ? Number(text) === value : text === String(value);
    }) && [...expected.keys()].every((column) => column in row)
  );
}

/** Resolves to the lines on record as rejected, as they were before they were spoiled. */
async function linesOnRecord(spoolDir: string, target: string): Promise<ReadonlySet<string>> {
  const directory = path.join(spoolDir, "rejected");
  const files = await readdir(directory).catch(() => []);
  const texts = await Promise.all(files.map((file) => readFile(path.join(directory, file), "utf8")));
  const records = texts
    .flatMap((text) => text.split("\n").filter(Boolean))
    .map((record) => JSON.parse(record) as { readonly target: string; readonly line?: string })
    .filter((record) => record.target === target);
  return new Set(records.flatMap(({ line }) => (line === undefined ? [] : unspoil(line))));
}
