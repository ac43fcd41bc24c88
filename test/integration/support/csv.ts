/** Column name -> text. */
export type Row = Readonly<Record<string, string>>;

/** Parses CSV tables, each with a line of column names, separated by empty lines; comment lines begin with `#`. */
export function parseCsv(text: string): Row[] {
  return text
    .replaceAll("\r", "")
    .split(/\n\s*\n/)
    .flatMap((table) => {
      const [columns, ...rows] = table
        .split("\n")
        .filter((line) => line !== "" && !line.startsWith("#"))
        .map(cells);
      return rows.map((row) => Object.fromEntries((columns ?? []).map((column, index) => [column, row[index] ?? ""])));
    });
}

function cells(line: string): string[] {
  const fields = line.match(/("([^"]|"")*"|[^,]*)(,|$)/g) ?? [];
  return fields.slice(0, line.endsWith(",") ? undefined : -1).map((field) => {
    const text = field.replace(/,$/, "");
    return text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text;
  });
}
