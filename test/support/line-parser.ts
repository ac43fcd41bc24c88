// A parser of line protocol for fake servers, which shares nothing with the agent.

export type Column = "tag" | "float" | "integer" | "uinteger" | "string" | "boolean";

export interface ParsedLine {
  readonly table: string;
  readonly columns: readonly (readonly [name: string, column: Column])[];
}

const VALUES: readonly (readonly [RegExp, Column])[] = [
  [/^-?\d{1,19}i$/, "integer"],
  [/^\d{1,20}u$/, "uinteger"],
  [/^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/, "float"],
  [/^(?:t|T|true|True|TRUE|f|F|false|False|FALSE)$/, "boolean"],
  [/^"(?:[^"\\]|\\.)*"$/s, "string"],
];

/** Returns the lines of a text. A line end inside a quoted value ends no line, so an open quotation mark joins lines. */
export function linesOutsideQuotes(text: string): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const part of text.split("\n")) {
    line = line === "" ? part : `${line}\n${part}`;
    const fields = cut(line, " ").slice(1).join(" ");
    const isOpen = /=\s*"(?:[^"\\]|\\.)*$/s.test(fields.replace(/="(?:[^"\\]|\\.)*"/gs, "=0"));
    if (isOpen) continue;
    lines.push(line);
    line = "";
  }
  return line === "" ? lines : [...lines, line];
}

/** Returns the table and the columns of a line, or what is wrong with it. */
export function parseLine(line: string): ParsedLine | string {
  const [series = "", fieldSet = "", time = "", ...rest] = cut(line, " ");
  const [table = [], ...tags] = cut(series, ",").map((tag) => cut(tag, "="));
  if (table[0] === "" || tags.some((tag) => tag.length !== 2 || tag.includes("")))
    return "Expected at least one space character, got end of input";
  const fields = cut(fieldSet, ",").map((field) => fieldOf(field));
  const known = fields.flatMap((field) => (field === undefined ? [] : [field]));
  if (known.length < fields.length) return "No fields were provided";
  if (new Set(known.map(([name]) => name)).size < known.length) return "duplicate field";
  if (!/^-?\d{1,19}$/.test(time) || rest.length > 0) return "Found trailing content";
  return { table: table[0] ?? "", columns: [...tags.map(([name = ""]) => [name, "tag"] as const), ...known] };
}

function fieldOf(field: string): readonly [name: string, column: Column] | undefined {
  const [name = "", value = "", ...more] = cut(field, "=");
  const [, type] = VALUES.find(([pattern]) => pattern.test(value)) ?? [];
  return name === "" || more.length > 0 || type === undefined ? undefined : [name, type];
}

/** Splits a text at a character, but neither behind a backslash nor inside quotation marks that follow `=`. */
function cut(text: string, at: string): readonly string[] {
  const parts: string[] = [""];
  let isQuoted = false;
  for (let index = 0; index < text.length; index++) {
    const character = text[index] ?? "";
    const last = parts.length - 1;
    if (character === at && !isQuoted) {
      parts.push("");
      continue;
    }
    if (character === '"' && (isQuoted || text[index - 1] === "=")) isQuoted = !isQuoted;
    parts[last] = `${parts[last] ?? ""}${character}`;
    if (character === "\\") parts[last] = `${parts[last] ?? ""}${text[++index] ?? ""}`;
  }
  return parts;
}
