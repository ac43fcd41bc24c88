import { readdirSync, readFileSync } from "node:fs";
import { parseLines, type Point } from "../../scripts/demo/line-protocol-parser.ts";

const DIRECTORY = "test/golden/lines";

/** Returns all recorded lines without tags of a configuration, as one text. */
export function goldenTexts(): string {
  const names = readdirSync(DIRECTORY).filter((file) => !file.startsWith("kubevirt-"));
  return names.map((file) => readFileSync(`${DIRECTORY}/${file}`, "utf8")).join("");
}

/** Returns the first recorded line of each series of fields: each measurement, and each `devtype` of `vm_devices`. */
export function goldenPoints(): readonly Point[] {
  const firsts = new Map<string, Point>();
  for (const point of parseLines(goldenTexts())) {
    const key = `${point.measurement} ${point.tags.get("devtype") ?? ""}`;
    if (!firsts.has(key)) firsts.set(key, point);
  }
  return [...firsts.values()];
}

const TYPES = { bigint: "integer", number: "float", string: "string", boolean: "boolean" };

/** Returns the type of a field's value, as the contract names it. */
export function typeOf(value: unknown): string {
  return TYPES[typeof value as keyof typeof TYPES];
}
