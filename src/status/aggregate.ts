import { foreignError, foreignText } from "../lib/display-text.ts";
import { toConditions, type Condition, type Finding } from "./conditions.ts";
import { MAX_FAILURES, type TelemetryConfigStatus } from "./config-status.ts";
import type { NodeSummary } from "./node-summary.ts";
import { MAX_REASON } from "./status-parts.ts";

/** The parts of a TelemetryConfig that the controller needs. */
export interface ConfigSummary {
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  readonly targetCount: number;
  /** Why this version cannot read the object; empty if it can. */
  readonly faults: readonly string[];
  readonly suspended: boolean;
  readonly status: TelemetryConfigStatus | undefined;
}

const MAX_FAILURE_MESSAGE = 256;
/** Agents report at least once an hour. After two missed reports the state of the node is unknown. */
const STALE_MS = 2.5 * 3_600_000;

/** Returns the status of one TelemetryConfig, from the nodes' reports. */
export function aggregate(
  config: ConfigSummary,
  reports: readonly NodeSummary[],
  nowMs: number,
): TelemetryConfigStatus {
  const selected = reports.filter(({ status }) => status?.selectedBy.includes(config.name) === true);
  // Not by `config`: a node that cannot use its configuration has none there, or still that of another object.
  const governed = selected.filter(({ status }) => status?.selectedBy[0] === config.name);
  const stale = governed.filter(({ status }) => isStale(status, nowMs));
  const fresh = governed.filter(({ status }) => !isStale(status, nowMs));
  const degraded = fresh.filter(({ status }) => readyOf(status)?.status === "False");
  // A report about an older generation, or about a deleted object of the same name, does not count.
  const ready = fresh.filter(
    ({ status }) =>
      readyOf(status)?.status === "True" &&
      status?.config?.uid === config.uid &&
      status.config.observedGeneration === config.generation,
  );
  const failures = degraded
    .map(({ node, status }) => {
      const { reason, message } = readyOf(status) ?? { reason: "Unknown", message: "" };
      return { node, reason: foreignText(reason, MAX_REASON), message: foreignError(message, MAX_FAILURE_MESSAGE) };
    })
    .sort((a, b) => (a.node < b.node ? -1 : 1))
    .slice(0, MAX_FAILURES);
  const nodes = {
    selected: selected.length,
    governed: governed.length,
    ready: ready.length,
    degraded: degraded.length,
    stale: stale.length,
  };
  const findings = [accepted(config), readiness(config, nodes, failures), overridden(nodes)];
  return {
    observedGeneration: config.generation,
    conditions: toConditions(
      findings.map((finding) => ({ ...finding, observedGeneration: config.generation })),
      config.status?.conditions,
      nowMs,
    ),
    targetCount: config.targetCount,
    nodes,
    nodeSummary: `${nodes.ready}/${nodes.governed}`,
    failures,
  };
}

function readyOf(status: NodeSummary["status"]): Condition | undefined {
  return status?.conditions.find(({ type }) => type === "Ready");
}

function isStale(status: NodeSummary["status"], nowMs: number): boolean {
  // A report without a time counts as stale: the comparison with NaN is false.
  return status === undefined || !(nowMs - Date.parse(status.agent.reportedAt) <= STALE_MS);
}

function accepted({ faults }: ConfigSummary): Finding {
  return faults.length === 0
    ? { type: "Accepted", status: "True", reason: "AsExpected", message: "the object is valid" }
    : { type: "Accepted", status: "False", reason: "InvalidConfig", message: faults.join("; ") };
}

function readiness(
  { suspended }: ConfigSummary,
  { governed, ready, degraded, stale }: TelemetryConfigStatus["nodes"],
  failures: TelemetryConfigStatus["failures"],
): Finding {
  const type = "Ready";
  if (suspended)
    return { type, status: "Unknown", reason: "Suspended", message: "it is suspended and governs no node" };
  if (governed === 0)
    return { type, status: "Unknown", reason: "NoNodes", message: "it governs no node that has reported" };
  const [first] = failures;
  if (first !== undefined) {
    const message = `${degraded} of ${governed} nodes are not ready; ${first.node}: ${first.message}`;
    return { type, status: "False", reason: first.reason, message };
  }
  if (stale > 0)
    return {
      type,
      status: "False",
      reason: "Stale",
      message: `${stale} of ${governed} nodes have not reported for hours`,
    };
  if (ready < governed)
    return {
      type,
      status: "Unknown",
      reason: "Progressing",
      message: `${ready} of ${governed} nodes use this generation`,
    };
  return { type, status: "True", reason: "AsExpected", message: `all ${governed} nodes are ready` };
}

function overridden({ selected, governed }: TelemetryConfigStatus["nodes"]): Finding {
  const lost = selected - governed;
  return lost === 0
    ? { type: "Overridden", status: "False", reason: "AsExpected", message: "it governs every node that it selects" }
    : {
        type: "Overridden",
        status: "True",
        reason: "HigherPrecedence",
        message: `another TelemetryConfig governs ${lost} of its ${selected} nodes`,
      };
}
