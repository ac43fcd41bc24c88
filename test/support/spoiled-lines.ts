const BAD_FIELD = " bad=,";

/** The same line in a form that no InfluxDB can parse. */
export function spoil(line: string): string {
  return line.replace(/(?<!\\) /, BAD_FIELD);
}

/** The line that a spoiled one was; any other stays as it is. */
export function unspoil(line: string): string {
  return line.replace(BAD_FIELD, " ");
}

/** The same line with a number of CPUs that is a text: of another type than in all other lines. */
export function conflicting(line: string): string {
  return line.replace(/,cpus=\d+i/, ',cpus="some"');
}
