import type { Point } from "./line-protocol-parser.ts";

const COLUMNS = [
  "domain",
  "state",
  "vCPUs",
  "memory MiB",
  "CPU s",
  "net rx MiB",
  "net tx MiB",
  "disk rd MiB",
  "disk wr MiB",
];
const MIB = 1024 * 1024;

/** Returns the last state of every domain as a table, and one line of each measurement. */
export function domainTable(points: readonly Point[]): string {
  const rows = new Map<string, string[]>();
  for (const { measurement, tags, fields } of points) {
    const name = tags.get("name") ?? "";
    const number = (field: string): number => Number(fields.get(field) ?? 0);
    const row = rows.get(name) ?? [name];
    rows.set(name, row);
    if (measurement === "vm_metrics") {
      row[1] = String(fields.get("state"));
      row[2] = String(fields.get("cpu_count"));
      row[3] = (number("memory_used_kb") / 1024).toFixed(0);
      row[4] = (number("cputime_ns") / 1e9).toFixed(1);
    } else if (measurement === "vm_totals") {
      const totals = ["net_rxbytes", "net_txbytes", "disk_rd_bytes", "disk_wr_bytes"];
      for (const [index, field] of totals.entries()) row[5 + index] = (number(field) / MIB).toFixed(1);
    }
  }
  const samples = new Map(points.map((point) => [point.measurement, point]));
  return [
    alignedTable([COLUMNS, ...rows.values()], 2),
    "",
    ...[...samples.values()].map((point) => formatPoint(point)),
  ].join("\n");
}

/** Returns a table as text. The first columns are aligned to the left, the others to the right. */
export function alignedTable(table: readonly (readonly string[])[], leftColumns: number): string {
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((row) => (row[column] ?? "").length)));
  const align = (text: string, column: number): string =>
    column < leftColumns ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0);
  return table.map((row) => widths.map((_, column) => align(row[column] ?? "", column)).join("  ")).join("\n");
}

function formatPoint({ measurement, tags, fields }: Point): string {
  const pairs = (of: ReadonlyMap<string, unknown>): string =>
    [...of].map(([key, value]) => `${key}=${String(value)}`).join(" ");
  return `${measurement}\n    tags   ${pairs(tags)}\n    fields ${pairs(fields)}`;
}
