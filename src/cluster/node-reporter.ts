import { API_VERSION } from "../config/schema.ts";
import { TelemetryError } from "../errors.ts";
import { apply, type ApplyOutcome } from "../kubernetes/apply.ts";
import type { KubeClient } from "../kubernetes/api.ts";
import { recordOf, resourcePath } from "../kubernetes/kube-object.ts";
import { isAborted } from "../lib/abort.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import type { NodeObservation } from "../status/node-report.ts";
import type { NodeTelemetryStatus } from "../status/node-telemetry.ts";
import { ReportWriter, type WriteOutcome } from "../status/report-writer.ts";
import { NODE_TELEMETRIES } from "./kinds.ts";
import type { OwnNode } from "./node-object.ts";

interface NodeReporterOptions {
  readonly client: KubeClient;
  /** Owns the report. */
  readonly node: OwnNode;
  readonly clock: Clock;
  /** Called when the server rejects the report. It is written again later. */
  readonly rejected: (message: string) => void;
}

export interface NodeStatusOptions {
  readonly client: KubeClient;
  readonly node: OwnNode;
  readonly observe: () => NodeObservation;
  readonly clock: Clock;
  readonly random?: () => number;
  /** Called when the report cannot be written. It is written again later. */
  readonly failed: (message: string) => void;
}

const FIELD_MANAGER = "kubevirt-telemetry-agent";
const BACKOFF = { baseMs: 10_000, capMs: 300_000 };

/** Keeps the NodeTelemetry of this node up to date until the signal aborts. Collection does not depend on it. */
export async function reportNode(options: NodeStatusOptions, signal: AbortSignal): Promise<void> {
  const { client, node, observe, clock, random = Math.random, failed } = options;
  const reporter = new NodeReporter({ client, node, clock, rejected: failed });
  let before: NodeTelemetryStatus | undefined;
  for (let failures = 0; !isAborted(signal); failures++) {
    before = await reporter.create(signal);
    if (reporter.created) break;
    await clock.sleep(backoffMs(failures, BACKOFF, random), signal);
  }
  const write = reporter.write.bind(reporter);
  await new ReportWriter({ observe, write, before, clock, random }).run(signal);
}

/** Writes the NodeTelemetry of this node. No other process writes this object. */
class NodeReporter {
  readonly #options: NodeReporterOptions;
  readonly #path: string;
  #created = false;

  constructor(options: NodeReporterOptions) {
    this.#options = options;
    this.#path = resourcePath({ ...NODE_TELEMETRIES, name: options.node.name });
  }

  /** Whether the object exists, as far as the agent knows. */
  get created(): boolean {
    return this.#created;
  }

  /** Creates the object unless it exists. Returns the report of an earlier agent that it contains. */
  async create(signal: AbortSignal): Promise<NodeTelemetryStatus | undefined> {
    const outcome = await this.#create(signal);
    const status = recordOf(outcome?.kind === "applied" ? outcome.object : undefined)["status"];
    // Another version may have written other fields. Only the conditions are used.
    return Array.isArray(recordOf(status)["conditions"]) ? (status as NodeTelemetryStatus) : undefined;
  }

  async write(status: NodeTelemetryStatus, signal: AbortSignal): Promise<WriteOutcome> {
    if (!this.#created) {
      const outcome = await this.#create(signal);
      if (outcome?.kind !== "applied") return failed(outcome);
    }
    const outcome = await this.#apply(`${this.#path}/status`, { status }, signal);
    if (outcome.kind === "applied") return { kind: "written" };
    if (outcome.kind === "rejected" && outcome.status === 404) {
      // The object was deleted, perhaps with its Node, which may have been replaced. The next write creates it again.
      this.#created = false;
      this.#options.node.forget();
    }
    return failed(outcome);
  }

  /** Returns undefined if the Node, its owner, cannot be read. */
  async #create(signal: AbortSignal): Promise<ApplyOutcome | undefined> {
    const { node, rejected } = this.#options;
    try {
      const { uid } = await node.get();
      // Sent with every apply, because the server removes fields that a manager does not send any more.
      const ownerReferences = [{ apiVersion: "v1", kind: "Node", name: node.name, uid }];
      const outcome = await this.#apply(this.#path, { ownerReferences }, signal);
      this.#created = outcome.kind === "applied";
      return outcome;
    } catch (error) {
      if (!(error instanceof TelemetryError)) throw error;
      rejected(error.message);
      return undefined;
    }
  }

  async #apply(
    path: string,
    { status, ...metadata }: { readonly status?: NodeTelemetryStatus; readonly ownerReferences?: readonly object[] },
    signal: AbortSignal,
  ): Promise<ApplyOutcome> {
    const { client, node, clock, rejected } = this.#options;
    const outcome = await apply(client, {
      path,
      object: {
        apiVersion: API_VERSION,
        kind: "NodeTelemetry",
        metadata: { name: node.name, ...metadata },
        ...(status !== undefined && { status }),
      },
      fieldManager: FIELD_MANAGER,
      signal,
      nowMs: clock.now(),
    });
    if (outcome.kind === "rejected") rejected(outcome.message);
    return outcome;
  }
}

function failed(outcome: ApplyOutcome | undefined): WriteOutcome {
  const afterMs = outcome?.kind === "retry" ? outcome.afterMs : undefined;
  return { kind: "failed", ...(afterMs !== undefined && { afterMs }) };
}
