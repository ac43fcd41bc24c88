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
  /** The server does not take the report as it is; it is tried again later. */
  readonly refused: (message: string) => void;
}

export interface NodeStatusOptions {
  readonly client: KubeClient;
  readonly node: OwnNode;
  readonly observe: () => NodeObservation;
  readonly clock: Clock;
  readonly random?: () => number;
  /** The report could not be written; it is tried again. */
  readonly failed: (message: string) => void;
}

const FIELD_MANAGER = "kubevirt-telemetry-agent";
const BACKOFF = { baseMs: 10_000, capMs: 300_000 };

/** Keeps the NodeTelemetry of this node up to date until the signal aborts. Collection does not depend on it. */
export async function reportNode(options: NodeStatusOptions, signal: AbortSignal): Promise<void> {
  const { client, node, observe, clock, random = Math.random, failed } = options;
  const reporter = new NodeReporter({ client, node, clock, refused: failed });
  let before: NodeTelemetryStatus | undefined;
  for (let failures = 0; !isAborted(signal); failures++) {
    before = await reporter.make(signal);
    if (reporter.made) break;
    await clock.sleep(backoffMs(failures, BACKOFF, random), signal);
  }
  const write = reporter.write.bind(reporter);
  await new ReportWriter({ observe, write, before, clock, random }).run(signal);
}

/** Writes the NodeTelemetry of this node, which it shares with nobody. */
class NodeReporter {
  readonly #options: NodeReporterOptions;
  readonly #path: string;
  #made = false;

  constructor(options: NodeReporterOptions) {
    this.#options = options;
    this.#path = resourcePath({ ...NODE_TELEMETRIES, name: options.node.name });
  }

  /** Whether the object is there, as far as is known. */
  get made(): boolean {
    return this.#made;
  }

  /** Makes the object if it is not there; returns the report of an earlier agent that it holds. */
  async make(signal: AbortSignal): Promise<NodeTelemetryStatus | undefined> {
    const outcome = await this.#make(signal);
    const status = recordOf(outcome?.kind === "applied" ? outcome.object : undefined)["status"];
    // What another version has written may look different; conditions are all that is taken from it.
    return Array.isArray(recordOf(status)["conditions"]) ? (status as NodeTelemetryStatus) : undefined;
  }

  async write(status: NodeTelemetryStatus, signal: AbortSignal): Promise<WriteOutcome> {
    if (!this.#made) {
      const outcome = await this.#make(signal);
      if (outcome?.kind !== "applied") return failed(outcome);
    }
    const outcome = await this.#apply(`${this.#path}/status`, { status }, signal);
    if (outcome.kind === "applied") return { kind: "written" };
    if (outcome.kind === "rejected" && outcome.status === 404) {
      // Somebody has deleted it, perhaps with its Node, which may be another one by now: the next try makes it anew.
      this.#made = false;
      this.#options.node.forget();
    }
    return failed(outcome);
  }

  /** Undefined when the Node, which has to be its owner, is not to be had. */
  async #make(signal: AbortSignal): Promise<ApplyOutcome | undefined> {
    const { node, refused } = this.#options;
    try {
      const { uid } = await node.get();
      // In every apply: what a manager does not send any more is removed.
      const ownerReferences = [{ apiVersion: "v1", kind: "Node", name: node.name, uid }];
      const outcome = await this.#apply(this.#path, { ownerReferences }, signal);
      this.#made = outcome.kind === "applied";
      return outcome;
    } catch (error) {
      if (!(error instanceof TelemetryError)) throw error;
      refused(error.message);
      return undefined;
    }
  }

  async #apply(
    path: string,
    { status, ...metadata }: { readonly status?: NodeTelemetryStatus; readonly ownerReferences?: readonly object[] },
    signal: AbortSignal,
  ): Promise<ApplyOutcome> {
    const { client, node, clock, refused } = this.#options;
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
    if (outcome.kind === "rejected") refused(outcome.message);
    return outcome;
  }
}

function failed(outcome: ApplyOutcome | undefined): WriteOutcome {
  const afterMs = outcome?.kind === "retry" ? outcome.afterMs : undefined;
  return { kind: "failed", ...(afterMs !== undefined && { afterMs }) };
}
