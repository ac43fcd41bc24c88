import { LineCounter, isMap, isScalar, parseAllDocuments, type Document } from "yaml";
import { brokenRules } from "./broken-rules.ts";
import { check, formatPath, type Finding, type Path, type Schema } from "./check.ts";
import { API_VERSION, KIND, OBJECT_SCHEMA, type TelemetryConfig } from "./schema.ts";
import { clusterOnlyFields } from "./standalone.ts";

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
const MAX_ALIASES = 100;

export interface ParseOptions {
  /** The file is for a cluster: fields that need one are no fault. */
  readonly cluster?: boolean;
}

/** Reads a TelemetryConfig, for standalone use unless said otherwise. All faults are found in one go. Never throws. */
export function parseConfig(text: string, { cluster = false }: ParseOptions = {}): ParseResult {
  if (text.length > MAX_CHARACTERS) return whole(`the file has ${text.length} characters, more than ${MAX_CHARACTERS}`);
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  const [document] = documents;
  if (!Array.isArray(documents) || document === undefined) return whole(`the file is empty; expected a ${KIND}`);
  const syntax = documents.flatMap(({ errors }) => errors);
  if (syntax.length > 0) {
    return {
      faults: syntax.map(({ message, pos }) => ({
        line: lines.linePos(pos[0]).line,
        path: "",
        message: `is not YAML: ${message}`,
      })),
    };
  }
  if (documents.length > 1) return whole(`the file has ${documents.length} documents; one ${KIND} is expected`);

  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch {
    return whole(`the file has more than ${MAX_ALIASES} uses of an alias`);
  }
  const findings: Finding[] = [];
  const checked = check(OBJECT_SCHEMA as unknown as Schema, value, [], (finding) =>
    findings.push(finding),
  ) as TelemetryConfig | null;
  for (const path of cluster ? [] : clusterOnlyFields((value as { spec?: unknown } | null)?.spec)) {
    findings.push({
      path: ["spec", ...path],
      message: "needs a cluster; remove it from a standalone configuration",
      atKey: true,
    });
  }
  findings.push(...brokenRules(checked?.spec));
  if (checked !== null && findings.length === 0) return { config: checked };
  const faults = findings.map((finding) => ({
    line: lineOf(document, lines, finding),
    path: formatPath(finding.path),
    message: finding.message,
  }));
  return { faults: faults.sort((a, b) => a.line - b.line) };
}

/** The line of a value, or of the nearest object around it that is in the file. */
function lineOf(document: Document.Parsed, lines: LineCounter, { path, atKey }: Finding): number {
  for (let depth = path.length; depth >= 0; depth--) {
    const node = document.getIn(path.slice(0, depth), true) as { range?: readonly number[] | null } | undefined;
    const key = keyNode(document, path.slice(0, depth));
    const chosen = atKey === true || depth < path.length ? (key ?? node) : (node ?? key);
    const start = chosen?.range?.[0];
    if (start !== undefined) return lines.linePos(start).line;
  }
  return 1;
}

function keyNode(document: Document.Parsed, path: Path): { range?: readonly number[] | null } | undefined {
  const last = path.at(-1);
  if (typeof last !== "string") return undefined;
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const pair = isMap(parent) ? parent.items.find(({ key }) => isScalar(key) && key.value === last) : undefined;
  return isScalar(pair?.key) ? pair.key : undefined;
}

function whole(message: string): ParseResult {
  return { faults: [{ line: 1, path: "", message: `${message} (apiVersion: ${API_VERSION})` }] };
}
