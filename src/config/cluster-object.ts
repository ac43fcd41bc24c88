import { brokenRules } from "./broken-rules.ts";
import { check, formatPath, type Finding, type Schema } from "./check.ts";
import { SPEC_SCHEMA, type TelemetryConfig, type TelemetrySpec } from "./schema.ts";
import type { Candidate } from "./select.ts";

/** A TelemetryConfig of the cluster: which nodes it is for, and what it says or what is wrong with it. */
export interface ClusterConfig extends Candidate {
  readonly uid: string;
  readonly generation: number;
  /** Undefined when this version cannot read the object: then `faults` says why. */
  readonly config: TelemetryConfig | undefined;
  /** `spec.targets[0].url: must be an http or https URL`; no value of the object is in them. */
  readonly faults: readonly string[];
}

/**
 * Reads an object as the API server gives it; undefined for something that is no object of it at all. The server has
 * checked it already, but perhaps by the schema of another version: a field that this one does not know is passed over,
 * a value that it cannot take is a fault.
 */
export function readClusterObject(raw: unknown): ClusterConfig | undefined {
  const { metadata, spec } = (raw ?? {}) as { metadata?: Metadata; spec?: unknown };
  if (typeof metadata?.name !== "string" || typeof metadata.uid !== "string") return undefined;
  const findings: Finding[] = [];
  const checked = check(SPEC_SCHEMA as unknown as Schema, spec, ["spec"], (finding) => {
    if (finding.unknownField !== true) findings.push(finding);
  }) as TelemetrySpec;
  findings.push(...brokenRules(checked));
  const { name, uid, generation, creationTimestamp } = metadata;
  return {
    name,
    uid,
    generation: typeof generation === "number" ? generation : 0,
    createdMs: Date.parse(String(creationTimestamp)) || 0,
    ...selectionOf(checked, findings),
    config: findings.length === 0 ? { metadata: { name }, spec: checked } : undefined,
    faults: findings.map(({ path, message }) => `${formatPath(path)}: ${message}`),
  };
}

type Metadata = Readonly<Record<"name" | "uid" | "generation" | "creationTimestamp", unknown>>;

/**
 * What is unreadable counts as if it were not given, so that such an object goes on governing its nodes: they keep the
 * last good configuration and say what is wrong. Were it passed over, an upgrade of the objects before the agents would
 * hand the nodes to some other object.
 */
function selectionOf(spec: unknown, findings: readonly Finding[]): Omit<Candidate, "name" | "createdMs"> {
  const { state, priority, nodeSelector } = (spec ?? {}) as Partial<Record<keyof Candidate, unknown>>;
  const unreadable = findings.some(({ path: [, field] }) => field === "nodeSelector");
  return {
    state: state === "Suspended" ? state : "Active",
    priority: Number.isSafeInteger(priority) ? (priority as number) : 0,
    nodeSelector: unreadable ? {} : (nodeSelector ?? {}),
  };
}
