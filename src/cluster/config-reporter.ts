import { API_VERSION } from "../config/schema.ts";
import { apply } from "../kubernetes/apply.ts";
import { messageOfAnswer, retryAfterMs } from "../kubernetes/answer.ts";
import type { KubeClient } from "../kubernetes/api.ts";
import { KubeError } from "../kubernetes/kube-error.ts";
import { microTime, resourcePath } from "../kubernetes/kube-object.ts";
import type { Clock } from "../lib/clock.ts";
import { RateLimit, WARNING_PERIOD_MS } from "../lib/rate-limit.ts";
import type { Logger } from "../log.ts";
import type { ConfigSummary } from "../status/aggregate.ts";
import type { Condition } from "../status/conditions.ts";
import type { TelemetryConfigStatus } from "../status/config-status.ts";
import type { WriteOutcome } from "../status/report-writer.ts";
import { TELEMETRY_CONFIGS } from "./kinds.ts";

export interface ConfigReporterOptions {
  readonly client: KubeClient;
  /** The name of this controller among several. */
  readonly instance: string;
  readonly log: Logger;
  readonly clock: Clock;
}

const FIELD_MANAGER = "kubevirt-telemetry-controller";
/** Events on objects without a namespace belong to this one. */
const EVENTS = { group: "events.k8s.io", version: "v1", plural: "events", namespace: "default" };

/** Limits of the API server, in bytes. It uses the first 58 bytes of `generateName` and adds 5 of its own. */
const MAX_NAME = 200;
const MAX_NOTE = 1024;
const MAX_INSTANCE = 128;

/** Reasons of Events for conditions whose own reason is `AsExpected`. */
const EXPECTED_REASONS: Readonly<Record<string, string>> = { Overridden: "NotOverridden" };

/** Writes the status of TelemetryConfigs, and Events about them. */
export class ConfigReporter {
  readonly #options: ConfigReporterOptions;
  readonly #warnings: RateLimit;

  constructor(options: ConfigReporterOptions) {
    this.#options = options;
    this.#warnings = new RateLimit(WARNING_PERIOD_MS, options.clock);
  }

  async write({ name }: ConfigSummary, status: TelemetryConfigStatus, signal: AbortSignal): Promise<WriteOutcome> {
    const { client, clock, log } = this.#options;
    const outcome = await apply(client, {
      path: resourcePath({ ...TELEMETRY_CONFIGS, name, subresource: "status" }),
      object: { apiVersion: API_VERSION, kind: "TelemetryConfig", metadata: { name }, status },
      fieldManager: FIELD_MANAGER,
      signal,
      nowMs: clock.now(),
    });
    if (outcome.kind === "applied") {
      log.debug({ config: name, nodes: status.nodes }, "status written");
      return { kind: "written" };
    }
    const gone = outcome.kind === "rejected" && outcome.status === 404;
    if (gone) log.debug({ config: name }, `the object is deleted: ${outcome.message}`);
    else this.#warn("status", name, `status not written, retrying: ${outcome.message}`, signal);
    return {
      kind: "failed",
      ...(outcome.kind === "retry" && outcome.afterMs !== undefined && { afterMs: outcome.afterMs }),
    };
  }

  async announce(config: ConfigSummary, condition: Condition, signal: AbortSignal): Promise<WriteOutcome> {
    const { client, instance, clock, log } = this.#options;
    const body = eventOf(config, condition, instance, clock.now());
    try {
      const answer = await client.request({ method: "POST", path: resourcePath(EVENTS), body, signal });
      if (answer.status !== 201) {
        const afterMs = retryAfterMs(answer, clock.now());
        this.#warn("event", config.name, `Event not created: ${answer.status} ${messageOfAnswer(answer)}`, signal);
        return { kind: "failed", ...(afterMs !== undefined && { afterMs }) };
      }
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      this.#warn("event", config.name, `Event not created: ${error.message}`, signal);
      return { kind: "failed" };
    }
    const { type, status, reason, message } = condition;
    log.info({ config: config.name, condition: type, status, reason }, message);
    return { kind: "written" };
  }

  /** Failures after the signal has aborted are expected and not logged. */
  #warn(what: string, config: string, message: string, signal: AbortSignal): void {
    if (!signal.aborted && this.#warnings.allows(`${what} ${config}`)) this.#options.log.warn({ config }, message);
  }
}

/** Returns an Event for a condition of a TelemetryConfig. */
export function eventOf(
  config: Pick<ConfigSummary, "name" | "uid">,
  condition: Condition,
  instance: string,
  nowMs: number,
): object {
  const { type, status, reason, message } = condition;
  return {
    apiVersion: `${EVENTS.group}/${EVENTS.version}`,
    kind: "Event",
    metadata: { generateName: `${cut(config.name, MAX_NAME)}-`, namespace: EVENTS.namespace },
    eventTime: microTime(nowMs),
    type: status === "False" && type !== "Overridden" ? "Warning" : "Normal",
    reason: reason === "AsExpected" ? (EXPECTED_REASONS[type] ?? type) : reason,
    action: "Aggregate",
    note: cut(`${type} is ${status}: ${message}`, MAX_NOTE),
    regarding: { apiVersion: API_VERSION, kind: "TelemetryConfig", name: config.name, uid: config.uid },
    reportingController: "kubevirt-telemetry.io/controller",
    reportingInstance: cut(instance, MAX_INSTANCE),
  };
}

/** Returns the longest prefix of whole characters that fits into this number of bytes of UTF-8. */
function cut(text: string, bytes: number): string {
  return text.slice(0, new TextEncoder().encodeInto(text, new Uint8Array(bytes)).read);
}
