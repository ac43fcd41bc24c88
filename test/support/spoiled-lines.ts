const BAD_FIELD = " bad=,";

/** Returns the line in a form that no InfluxDB can parse. */
export function spoil(line: string): string {
  return line.replace(/(?<!\\) /, BAD_FIELD);
}

/** Returns the original of a spoiled line; other lines stay unchanged. */
export function unspoil(line: string): string {
  return line.replace(BAD_FIELD, " ");
}

/** Returns the line with a number of CPUs as text: another type than in all other lines. */
export function conflicting(line: string): string {
  return line.replace(/,cpus=\d+i/, ',cpus="some"');
}
