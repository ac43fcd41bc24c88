import type { NamedLine } from "./refusal.ts";

/**
 * What a server says of the lines it was sent. InfluxDB 1 and 2 answer `{"error"}` and `{"code", "message"}`, InfluxDB 3
 * `{"error", "data": [{original_line, line_number, error_message}]}`; a proxy answers anything.
 */
export interface ServerMessage {
  /** The message, without the JSON around it. */
  readonly text: string;
  /** `text` up to its first quotation: behind it may stand words of a line, and nothing may be concluded from these. */
  readonly head: string;
  /** The refused lines that InfluxDB 3 lists. */
  readonly listed: readonly NamedLine[];
}

const QUOTATION = /['"]/;
/** InfluxDB 1 quotes the lines that it cannot parse, one in a row. */
const QUOTED_LINE = /^(?:partial write: )?unable to parse '(.+?)': (.+)$/;
const COUNT = /\bdropped=(\d{1,9})\s*$/;

export function readServerMessage(body: string): ServerMessage {
  const parsed = parseObject(body);
  const text =
    parsed === undefined ? withoutOpening(body) : (words(parsed["error"]) ?? words(parsed["message"]) ?? body);
  return { text, head: text.split(QUOTATION, 1)[0] ?? "", listed: listedLines(parsed?.["data"]) };
}

/** How many lines were refused, as far as the server lets it be known: one at least. InfluxDB 1 understates `dropped`. */
export function countRefused({ text, listed }: ServerMessage): number {
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

function listedLines(data: unknown): readonly NamedLine[] {
  if (!Array.isArray(data)) return [];
  return data.filter(isRecord).flatMap((entry) => {
    const reason = words(entry["error_message"]);
    return reason === undefined ? [] : [{ line: words(entry["original_line"]) ?? "", reason }];
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function words(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
