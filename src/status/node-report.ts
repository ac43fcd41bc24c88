import { toConditions, type Condition, type Finding } from "./conditions.ts";
import {
  MAX_SELECTED_BY,
  MAX_VERSIONS,
  type NodeReason,
  type NodeTelemetryStatus,
  type TargetStatus,
} from "./node-telemetry.ts";

/** The state of an agent at one moment. */
export interface NodeObservation {
  readonly agent: { readonly version: string; readonly podUID: string; readonly startedMs: number };
  readonly config: NodeTelemetryStatus["config"] | undefined;
  readonly selectedBy: readonly string[];
  /** Why the governing configuration is not in use. */
  readonly configFault: { readonly reason: "InvalidConfig" | "SecretNotFound"; readonly message: string } | undefined;
  /** Why the agent may not know all VMs of the node. */
  readonly namesFault:
    { readonly reason: "Ambiguous" | "Forbidden" | "TooLarge" | "Unreachable"; readonly message: string } | undefined;
  readonly libvirt: {
    readonly versions: readonly string[];
    /** Daemons with a socket, including those that fail. */
    readonly endpoints: number;
    /** Daemons that answer, with all of their domains. */
    readonly answering: number;
    readonly domains: number;
    readonly failures: readonly LibvirtFailure[];
    /** What launchers do that KubeVirt's never do, one sentence each, with the VM. No fault of the node. */
    readonly misbehavior: readonly string[];
    /** Launchers that are not sampled in every cycle, because all together send too much, one sentence each. No fault either. */
    readonly sampledLessOften: readonly string[];
  };
  readonly targets: readonly {
    readonly name: string;
    readonly state: TargetStatus["state"];
    readonly sinceMs: number;
    readonly reason: NodeReason | undefined;
    readonly detail: string | undefined;
  }[];
  /** Undefined while no lines are dropped. */
  readonly bufferFault: { readonly reason: "BufferFull" | "DiskFull"; readonly message: string } | undefined;
}

export interface LibvirtFailure {
  /** The socket, or the pods directory. */
  readonly where: string;
  readonly denied: boolean;
  readonly message: string;
}

type Verdict = readonly [status: Finding["status"], reason: NodeReason, message: string];

const FINE = "AsExpected";

/** Returns the report of an observation. `before` is the previous report, which has the times of the conditions. */
export function nodeReport(
  observation: NodeObservation,
  before: NodeTelemetryStatus | undefined,
  nowMs: number,
): NodeTelemetryStatus {
  const { agent, config, selectedBy, libvirt, targets } = observation;
  const parts: Finding[] = [
    finding("ConfigApplied", configApplied(observation)),
    finding("NamesKnown", namesKnown(observation)),
    finding("LibvirtReachable", libvirtReachable(observation)),
    finding("TargetsDelivering", targetsDelivering(observation)),
    finding("BufferHealthy", bufferHealthy(observation)),
  ];
  // One VM without a name does not stop the others.
  const required = parts.filter(({ type }) => type !== "NamesKnown");
  const conditions: Condition[] = toConditions([ready(required), ...parts], before?.conditions, nowMs);
  return {
    ...(config !== undefined && { config }),
    selectedBy: selectedBy.slice(0, MAX_SELECTED_BY),
    agent: {
      version: agent.version,
      podUID: agent.podUID,
      startedAt: rfc3339(agent.startedMs),
      reportedAt: rfc3339(nowMs),
    },
    libvirt: {
      versions: libvirt.versions.slice(0, MAX_VERSIONS),
      endpoints: libvirt.endpoints,
      domains: libvirt.domains,
    },
    targets: targets.map(({ name, state, sinceMs, reason }) => ({
      name,
      state,
      since: rfc3339(sinceMs),
      reason: reason ?? FINE,
    })),
    targetSummary: `${targets.filter(({ state }) => state !== "Failing").length}/${targets.length}`,
    conditions,
  };
}

function finding(type: string, [status, reason, message]: Verdict): Finding {
  return { type, status, reason, message };
}

function configApplied({ config, configFault }: NodeObservation): Verdict {
  if (configFault !== undefined) return ["False", configFault.reason, configFault.message];
  if (config === undefined)
    return ["False", "NoConfig", "no Active TelemetryConfig selects this node: nothing is collected"];
  return ["True", FINE, `generation ${config.observedGeneration} of ${config.name} is in use`];
}

function libvirtReachable({ config, libvirt }: NodeObservation): Verdict {
  const { endpoints, answering, domains, failures, misbehavior, sampledLessOften } = libvirt;
  const more = (sentences: readonly unknown[]): string =>
    sentences.length > 1 ? `, and ${sentences.length - 1} more` : "";
  const also = [misbehavior, sampledLessOften].flatMap(([sentence, ...others]) =>
    sentence === undefined ? [] : [`${sentence}${more([sentence, ...others])}`],
  );
  // A tenant can make its own launcher fail, and must not be able to make the node look faulty.
  const status = answering === 0 ? "False" : "True";
  const denied = failures.find((failure) => failure.denied);
  if (denied !== undefined) return [status, "SocketDenied", [withPlace(denied), ...also].join("; ")];
  const [first] = failures;
  if (first !== undefined) {
    const others = failures.length > 1 ? `${more(failures)} of ${endpoints}` : "";
    return [status, "EndpointTimeout", [`${withPlace(first)}${others}`, ...also].join("; ")];
  }
  if (misbehavior.length > 0) return ["True", "LauncherMisbehaving", also.join("; ")];
  if (sampledLessOften.length > 0) return ["True", "SampledLessOften", also.join("; ")];
  if (config === undefined) return ["Unknown", "NoConfig", "libvirt is not read without a configuration"];
  if (domains === 0) return ["True", "NoDomains", "no virtual machine runs on this node"];
  return ["True", FINE, "every libvirt daemon of the node answers"];
}

/** Adds the place to a message, if the message does not name it already. */
function withPlace({ where, message }: LibvirtFailure): string {
  return message.includes(where) ? message : `${where}: ${message}`;
}

function targetsDelivering({ config, targets }: NodeObservation): Verdict {
  if (config === undefined) return ["Unknown", "NoConfig", "there are no targets without a configuration"];
  const failing = targets.filter(({ state }) => state === "Failing");
  const [first] = failing;
  if (first === undefined) return ["True", FINE, "every target accepts lines"];
  const texts = failing.map(({ name, detail }) => `${name}: ${detail ?? ""}`);
  return ["False", first.reason ?? "TargetUnreachable", texts.join("; ")];
}

function bufferHealthy({ bufferFault }: NodeObservation): Verdict {
  return bufferFault === undefined
    ? ["True", FINE, "no lines are dropped"]
    : ["False", bufferFault.reason, bufferFault.message];
}

function namesKnown({ namesFault }: NodeObservation): Verdict {
  return namesFault === undefined
    ? ["True", "Known", "the virtual machines of the node are known"]
    : ["False", namesFault.reason, namesFault.message];
}

/** Returns the Ready condition: False, with its reason, if one of the parts is False. */
function ready(parts: readonly Finding[]): Finding {
  const bad = parts.find(({ status }) => status === "False");
  if (bad !== undefined) return { ...bad, type: "Ready", message: `${bad.type}: ${bad.message}` };
  const idle = parts.find(({ reason }) => reason !== FINE);
  return {
    type: "Ready",
    status: "True",
    reason: idle?.reason ?? FINE,
    message: idle?.message ?? "the node's virtual machines are collected and delivered",
  };
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
