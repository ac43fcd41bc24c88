import { foreignText } from "../../lib/display-text.ts";
import type { NamedLine } from "../outcome.ts";

/**
 * The error text of an answer. InfluxDB 1 answers `{"error"}`, InfluxDB 2 `{"code", "message"}`, InfluxDB 3
 * `{"error", "data": [{original_line, line_number, error_message}]}`, VictoriaMetrics a text that begins with the request. A
 * proxy may answer anything.
 */
export interface ServerMessage {
  /** The message, without the JSON around it. */
  readonly text: string;
  /** The first part of `text`, which ends before a quotation mark. Quoted text may come from a line and says nothing about the answer. */
  readonly head: string;
  /** The rejected lines that InfluxDB 3 lists, each once. `original_line` is not the line: it is cut after 20 bytes. */
  readonly listed: readonly NamedLine[];
  /** The bad line that InfluxDB 3 and QuestDB name if they store a whole batch or nothing. There may be more. */
  readonly named: NamedLine | undefined;
  /** Whether more lines may be rejected: the end of the answer is missing, or a listed line cannot be read. */
  readonly isIncomplete: boolean;
  /** The server's text if its limit on series, tables, columns or databases excludes lines. */
  readonly limit: string | undefined;
}

/** Longest reason for one line. */
const MAX_REASON = 200;
const QUOTATION = /['"`]/;
/** The words that the patterns below look for come early in a message. Some of the patterns need quadratic time. */
const MAX_HEAD = 400;
/** InfluxDB 1 quotes the lines that it cannot parse, one per row. */
const QUOTED_LINE = /^(?:partial write: )?unable to parse '(.+?)': (.+)$/;
/** VictoriaMetrics puts the request before its message. */
const REQUEST = /^remoteAddr: "[^"]*"(?:, X-Forwarded-For: "[^"]*")?; requestURI: \S*; /;
const COUNT = /\bdropped=(\d+)\s*$/;
/** InfluxDB 1: max-series-per-database, max-values-per-tag. InfluxDB 3: databases, tables, columns, tag columns. */
const LIMIT = /\bmax-[a-z-]+ limit exceeded|\bwould exceed .*\blimit of \d+/i;

/** Returns what the body of an answer reveals. `isCut`: the end of the body is missing. */
export function readServerMessage(body: string, isCut = false): ServerMessage {
  const parsed = parseObject(body);
  const plain = body.replace(REQUEST, "");
  const text =
    parsed === undefined ? withoutOpening(plain) : (textOf(parsed["error"]) ?? textOf(parsed["message"]) ?? body);
  const data = parsed?.["data"];
  const entries: readonly unknown[] = Array.isArray(data) ? data : [];
  const listed = listedLines(entries);
  const named = listedLines([data])[0] ?? namedByNumber(parsed?.["line"], text);
  const reasons = [...listed, ...(named === undefined ? [] : [named])].map(({ reason }) => reason);
  return {
    text,
    head: headOf(text),
    listed,
    named,
    isIncomplete:
      isCut || (parsed === undefined && text !== plain) || entries.some((entry) => reasonOf(entry) === undefined),
    limit: [text, ...reasons].find((reason) => LIMIT.test(headOf(reason))),
  };
}

/** Returns the number of rejected lines as far as it is known, at least 1. The `dropped` of InfluxDB 1 may be too low. */
export function countRejected({ text, listed }: ServerMessage): number {
  // Only at the end: before it may be text of a line.
  const dropped = COUNT.exec(text)?.[1];
  return Math.max(1, listed.length, Number(dropped ?? 0), text.match(/unable to parse '/g)?.length ?? 0);
}

/** Returns the rejected lines that the server names, each with its reason. */
export function namedLines({ text, listed, named }: ServerMessage): readonly NamedLine[] {
  if (listed.length > 0) return listed;
  if (named !== undefined) return [named];
  return text.split("\n").flatMap((row) => {
    const [, line, reason] = QUOTED_LINE.exec(row.replace(COUNT, "").trimEnd()) ?? [];
    return line === undefined || reason === undefined ? [] : [{ text: line, reason: foreignText(reason, MAX_REASON) }];
  });
}

function headOf(text: string): string {
  return text.slice(0, MAX_HEAD).split(QUOTATION, 1)[0] ?? "";
}

function parseObject(body: string): Record<string, unknown> | undefined {
  // The body after a successful write is empty. Parsing it would throw, which costs more than the rest of this function.
  if (body === "") return undefined;
  try {
    const value: unknown = JSON.parse(body);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Returns the message of JSON that is cut off and cannot be parsed. */
function withoutOpening(body: string): string {
  return body.replace(/^\s*\{\s*(?:"code"\s*:\s*"[^"]{0,99}"\s*,\s*)?"(?:error|message)"\s*:\s*"/, "");
}

/** Returns each listed line once, with its first error. */
function listedLines(entries: readonly unknown[]): readonly NamedLine[] {
  const numbers = new Set<unknown>();
  return entries.filter(isRecord).flatMap((entry) => {
    const number = entry["line_number"];
    const reason = reasonOf(entry);
    if (reason === undefined || numbers.has(number)) return [];
    if (!isLineNumber(number)) return [{ reason }];
    numbers.add(number);
    return [{ number, reason }];
  });
}

function namedByNumber(number: unknown, reason: string): NamedLine | undefined {
  return isLineNumber(number) ? { number, reason: foreignText(reason, MAX_REASON) } : undefined;
}

function isLineNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}

function reasonOf(entry: unknown): string | undefined {
  const reason = isRecord(entry) ? textOf(entry["error_message"]) : undefined;
  return reason === undefined ? undefined : foreignText(reason, MAX_REASON);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
