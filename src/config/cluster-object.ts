import { brokenRules } from "./rules.ts";
import { check, formatPath, type Finding } from "./check.ts";
import type { Schema } from "./json-schema.ts";
import { SPEC_SCHEMA, type TelemetryConfig, type TelemetrySpec } from "./schema.ts";
import type { Candidate } from "./select.ts";

/** A TelemetryConfig of the cluster: the nodes that it selects, and its content or its faults. */
export interface ClusterConfig extends Candidate {
  readonly uid: string;
  readonly generation: number;
  /** Undefined if this version cannot read the object; `faults` then says why. */
  readonly config: TelemetryConfig | undefined;
  /** `path: message` of each fault, without values of the object. */
  readonly faults: readonly string[];
}

/**
 * Returns the TelemetryConfig in an answer of the API server, or undefined if it has no name or UID. The server has
 * checked it, but perhaps with the schema of another version: an unknown field is ignored, an invalid value is a fault.
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
 * Returns the fields that select nodes; an unreadable field counts as not given. So an object that this version cannot
 * read still governs its nodes: they keep the last good configuration and report the fault. Without
 * this rule, an upgrade of the objects before the agents would move the nodes to another object.
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
