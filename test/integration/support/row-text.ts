import type { Point } from "../../../scripts/demo/line-protocol-parser.ts";
import type { Row } from "./csv.ts";

/** Returns one text for a row of a table, the same for any order of its columns. A column without a value is left out. */
export function rowText(table: string, row: Row): string {
  const values = Object.entries(row).filter(([, value]) => value !== "");
  return JSON.stringify([table, values.sort(([one], [other]) => (one < other ? -1 : 1))]);
}

/** Returns the text of the row that has the tags and fields of a point, and the time in a column of this name. */
export function pointText(
  { measurement, tags, fields, timestamp }: Point,
  { table = measurement, timeColumn = "time", time = String(timestamp) } = {},
): string {
  const values = [...fields].map(([field, value]): [string, string] => [field, String(value)]);
  return rowText(table, { ...Object.fromEntries([...tags, ...values]), [timeColumn]: time });
}
