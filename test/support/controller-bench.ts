import { pino } from "pino";
import { runStatusController } from "../../src/cluster/config-statuses.ts";
import type { Condition } from "../../src/status/conditions.ts";
import type { TelemetryConfigStatus } from "../../src/status/config-status.ts";
import { nodeReport, type NodeObservation } from "../../src/status/node-report.ts";
import { LEAST_SPEC } from "./config.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeKubeClient } from "./fake-kube-client.ts";
import { observation } from "./observation.ts";

export const CONFIGS = "/apis/kubevirt-telemetry.io/v1alpha1/telemetryconfigs";
export const NODES = "/apis/kubevirt-telemetry.io/v1alpha1/nodetelemetries";
export const EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events";

/** A node whose only target rejects the token. */
export const FAILING: Partial<NodeObservation> = {
  targets: [{ name: "main", state: "Failing", sinceMs: 0, reason: "TargetUnauthorized", detail: "HTTP 401" }],
};

interface ConfigChange {
  readonly uid?: string;
  readonly generation?: number;
  readonly spec?: object;
  readonly status?: unknown;
}

/** The leading controller, an API server without a network, and a fake clock. */
export class ControllerBench implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly client = new FakeKubeClient(this.clock);
  readonly log: { readonly level: number; readonly msg: string }[] = [];
  #stop = new AbortController();
  #running: Promise<void> | undefined;

  /** Starts leading, until `end`. */
  lead(): void {
    this.#stop = new AbortController();
    const log = pino(
      { level: "debug" },
      { write: (line) => void this.log.push(JSON.parse(line) as (typeof this.log)[0]) },
    );
    const { client, clock } = this;
    this.#running = runStatusController({ client, clock, log, instance: "a", random: () => 0.5 }, this.#stop.signal);
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** Creates a TelemetryConfig, or changes its generation; missing fields stay unchanged. */
  putConfig(name: string, { uid = "u1", generation = 3, spec, status }: ConfigChange = {}): void {
    const before = this.client.objects.get(CONFIGS, name);
    const metadata = { name, uid, generation, creationTimestamp: "2026-01-01T00:00:00Z" };
    const kept = status ?? before?.["status"];
    this.client.objects.put(CONFIGS, {
      metadata,
      spec: spec ?? before?.["spec"] ?? LEAST_SPEC,
      ...(kept !== undefined && { status: kept }),
    });
  }

  /** Sets the report of a node's agent. */
  putNode(name: string, change: Partial<NodeObservation> = {}): void {
    const status = nodeReport(observation(change), undefined, this.clock.now());
    this.client.objects.put(NODES, { metadata: { name }, status });
  }

  status(name = "default"): TelemetryConfigStatus | undefined {
    return this.client.objects.get(CONFIGS, name)?.["status"] as TelemetryConfigStatus | undefined;
  }

  condition(type: string, name = "default"): Condition | undefined {
    return this.status(name)?.conditions.find((one) => one.type === type);
  }

  /** Number of status writes so far. */
  get writes(): number {
    return this.client.of("PATCH", "/status").length;
  }

  /** `Warning TargetUnauthorized` for each Event so far. */
  get events(): readonly string[] {
    return this.client.of("POST", EVENTS).map(({ body }) => {
      const { type, reason } = body as { type: string; reason: string };
      return `${type} ${reason}`;
    });
  }

  warnings(): readonly string[] {
    return this.log.filter(({ level }) => level >= 40).map(({ msg }) => msg);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}
