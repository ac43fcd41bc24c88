import { apply } from "../kubernetes/apply.ts";
import type { KubeClient } from "../kubernetes/api.ts";
import { recordOf } from "../kubernetes/kube-object.ts";
import { resourcePath } from "../kubernetes/resource-path.ts";
import type { Clock } from "../lib/clock.ts";
import type { NodeTelemetryStatus } from "../status/node-telemetry.ts";
import type { WriteOutcome } from "../status/report-writer.ts";
import { API_VERSION, NODE_TELEMETRIES } from "./kinds.ts";

export interface NodeReporterOptions {
  readonly client: KubeClient;
  readonly node: { readonly name: string; readonly uid: string };
  readonly clock: Clock;
  /** The server does not take the report as it is; it is tried again later. */
  readonly refused: (message: string) => void;
}

const FIELD_MANAGER = "kubevirt-telemetry-agent";

/** Writes the NodeTelemetry of this node, which it shares with nobody. */
export class NodeReporter {
  readonly #options: NodeReporterOptions;
  readonly #path: string;
  #made = false;

  constructor(options: NodeReporterOptions) {
    this.#options = options;
    this.#path = resourcePath({ ...NODE_TELEMETRIES, name: options.node.name });
  }

  /** Makes the object if it is not there; returns the report of an earlier agent that it holds. */
  async make(signal: AbortSignal): Promise<NodeTelemetryStatus | undefined> {
    const { uid, name } = this.#options.node;
    // In every apply: what a manager does not send any more is removed.
    const ownerReferences = [{ apiVersion: "v1", kind: "Node", name, uid }];
    const outcome = await this.#apply(this.#path, { metadata: { name, ownerReferences } }, signal);
    this.#made = outcome.kind === "written";
    const status = recordOf("object" in outcome ? outcome.object : undefined)["status"];
    // What another version has written may look different; conditions are all that is taken from it.
    return Array.isArray(recordOf(status)["conditions"]) ? (status as NodeTelemetryStatus) : undefined;
  }

  async write(status: NodeTelemetryStatus, signal: AbortSignal): Promise<WriteOutcome> {
    if (!this.#made) await this.make(signal);
    const outcome = await this.#apply(
      `${this.#path}/status`,
      { metadata: { name: this.#options.node.name }, status },
      signal,
    );
    // Somebody has deleted it, perhaps with its node: the next try makes it anew.
    if (outcome.kind === "failed") this.#made = false;
    return outcome;
  }

  async #apply(
    path: string,
    object: object,
    signal: AbortSignal,
  ): Promise<WriteOutcome & { readonly object?: unknown }> {
    const { client, clock, refused } = this.#options;
    const outcome = await apply(client, {
      path,
      object: { apiVersion: API_VERSION, kind: "NodeTelemetry", ...object },
      fieldManager: FIELD_MANAGER,
      force: true,
      signal,
      nowMs: clock.now(),
    });
    if (outcome.kind === "applied") return { kind: "written", object: outcome.object };
    if (outcome.kind !== "retry") refused(outcome.message);
    return {
      kind: "failed",
      ...(outcome.kind === "retry" && outcome.afterMs !== undefined && { afterMs: outcome.afterMs }),
    };
  }
}
