import type { NamedLine } from "../outcome.ts";

/**
 * What a server says of the lines it was sent. InfluxDB 1 and 2 answer `{"error"}` and `{"code", "message"}`, InfluxDB 3
 * `{"error", "data": [{original_line, line_number, error_message}]}`; a proxy answers anything.
 */
export interface ServerMessage {
  /** The message, without the JSON around it. */
  readonly text: string;
  /** `text` up to its first quotation: behind it may stand words of a line, and nothing may be concluded from these. */
  readonly head: string;
  /** The refused lines that InfluxDB 3 lists, each once. */
  readonly listed: readonly NamedLine[];
  /** Whether lines may be refused that are not known: the end of the answer is missing, or a listed line cannot be read. */
  readonly isIncomplete: boolean;
  /** The server's words, when a limit of its own keeps out series, tables, columns or databases that are new to it. */
  readonly limit: string | undefined;
}

const QUOTATION = /['"`]/;
/** InfluxDB 1 quotes the lines that it cannot parse, one in a row. */
const QUOTED_LINE = /^(?:partial write: )?unable to parse '(.+?)': (.+)$/;
const COUNT = /\bdropped=(\d+)\s*$/;
/** InfluxDB 1: max-series-per-database, max-values-per-tag. InfluxDB 3: databases, tables, columns, tag columns. */
const LIMIT = /\bmax-[a-z-]+ limit exceeded|\bwould exceed .*\blimit of \d+/i;

export function readServerMessage(body: string): ServerMessage {
  const parsed = parseObject(body);
  const text =
    parsed === undefined ? withoutOpening(body) : (words(parsed["error"]) ?? words(parsed["message"]) ?? body);
  const data = parsed?.["data"];
  const entries: readonly unknown[] = Array.isArray(data) ? data : [];
  const listed = listedLines(entries);
  const isCutOff = parsed === undefined && text !== body;
  // Where InfluxDB 3 stores all of a batch or nothing it names one line only, in an object.
  const reasons = [...listed, ...listedLines([data])].map(({ reason }) => reason);
  return {
    text,
    head: headOf(text),
    listed,
    isIncomplete: isCutOff || entries.some((entry) => reasonOf(entry) === undefined),
    limit: [text, ...reasons].find((reason) => LIMIT.test(headOf(reason))),
  };
}

/** How many lines were refused, as far as the server lets it be known: one at least. InfluxDB 1 understates `dropped`. */
export function countRejected({ text, listed }: ServerMessage): number {
  // At the end: before it may stand a line, and a line may say anything.
  const dropped = COUNT.exec(text)?.[1];
  return Math.max(1, listed.length, Number(dropped ?? 0), text.match(/unable to parse '/g)?.length ?? 0);
}

/** The refused lines that the server names, each with its reason. */
export function namedLines({ text, listed }: ServerMessage): readonly NamedLine[] {
  if (listed.length > 0) return listed;
  return text.split("\n").flatMap((row) => {
    const [, line, reason] = QUOTED_LINE.exec(row.replace(COUNT, "").trimEnd()) ?? [];
    return line === undefined || reason === undefined ? [] : [{ line, reason }];
  });
}

function headOf(text: string): string {
  return text.split(QUOTATION, 1)[0] ?? "";
}

function parseObject(body: string): Record<string, unknown> | undefined {
  // As it is after every write that went well: an exception would cost more than the rest of the answer.
  if (body === "") return undefined;
  try {
    const value: unknown = JSON.parse(body);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The message in JSON that was cut off, and so cannot be parsed. */
function withoutOpening(body: string): string {
  return body.replace(/^\s*\{\s*"(?:error|message)"\s*:\s*"/, "");
}

/** A line that is listed with several errors is there once, with the first. */
function listedLines(entries: readonly unknown[]): readonly NamedLine[] {
  const numbers = new Set<unknown>();
  return entries.filter(isRecord).flatMap((entry) => {
    const { line_number: number, original_line: line } = entry;
    const reason = reasonOf(entry);
    if (reason === undefined || numbers.has(number)) return [];
    if (typeof number === "number") numbers.add(number);
    return [{ line: words(line) ?? "", reason }];
  });
}

function reasonOf(entry: unknown): string | undefined {
  return isRecord(entry) ? words(entry["error_message"]) : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function words(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
