import { brokenRules } from "./broken-rules.ts";
import { check, formatPath, type Finding, type Schema } from "./check.ts";
import { OBJECT_SCHEMA, type TelemetryConfig } from "./schema.ts";
import { clusterOnlyFields } from "./standalone.ts";
import { readYaml } from "./yaml-source.ts";

export interface Fault {
  /** 1-based. */
  readonly line: number;
  /** `spec.targets[0].url`; empty for the whole file. */
  readonly path: string;
  readonly message: string;
}

export type ParseResult =
  | { readonly config: TelemetryConfig; readonly faults?: undefined }
  | { readonly config?: undefined; readonly faults: readonly Fault[] };

const MAX_CHARACTERS = 1024 * 1024;

export interface ParseOptions {
  /** The file is for a cluster: fields that need one are no fault. */
  readonly cluster?: boolean;
}

/** Reads a TelemetryConfig, for standalone use unless said otherwise. All faults are found in one go. Never throws. */
export function parseConfig(text: string, { cluster = false }: ParseOptions = {}): ParseResult {
  if (text.length > MAX_CHARACTERS) {
    return { faults: [{ line: 1, path: "", message: `has ${text.length} characters, more than ${MAX_CHARACTERS}` }] };
  }
  const source = readYaml(text);
  if ("length" in source) return { faults: source.map((problem) => ({ ...problem, path: "" })) };
  const { value, repeated, lineOf } = source;
  const findings: Finding[] = repeated.map((path) => ({ path, message: "is given twice" }));
  const checked = check(OBJECT_SCHEMA as unknown as Schema, value, [], (finding) =>
    findings.push(finding),
  ) as TelemetryConfig | null;
  for (const path of cluster ? [] : clusterOnlyFields((value as { spec?: unknown } | null)?.spec))
    findings.push({ path: ["spec", ...path], message: "needs a cluster; remove it from a standalone configuration" });
  findings.push(...brokenRules(checked?.spec));
  if (checked !== null && findings.length === 0) return { config: checked };
  const faults = findings.map(({ path, message }) => ({ line: lineOf(path), path: formatPath(path), message }));
  return { faults: faults.sort((a, b) => a.line - b.line) };
}
