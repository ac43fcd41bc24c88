import { readClusterObject } from "../config/cluster-object.ts";
import type { KubeClient } from "../kubernetes/api.ts";
import { recordOf, resourcePath } from "../kubernetes/kube-object.ts";
import { Reflector, type ReflectorOptions } from "../kubernetes/reflector.ts";
import { STALE_MS } from "../kubernetes/store-fault.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../log.ts";
import type { ConfigSummary } from "../status/aggregate.ts";
import type { TelemetryConfigStatus } from "../status/config-status.ts";
import { ConfigStatusWriter } from "../status/config-status-writer.ts";
import { readNodeSummary, type NodeSummary } from "../status/node-summary.ts";
import { ConfigReporter } from "./config-reporter.ts";
import { NODE_TELEMETRIES, TELEMETRY_CONFIGS } from "./kinds.ts";
import { reflectorLog } from "./kube-log.ts";

export interface ConfigStatusesOptions {
  readonly client: KubeClient;
  readonly instance: string;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random?: () => number;
  /** Called with the watches when they are started. */
  readonly onWatching?: (watched: WatchedObjects) => void;
}

/** The watches of the controller. */
export interface WatchedObjects {
  readonly configs: Reflector<ConfigSummary>;
  readonly nodes: Reflector<NodeSummary>;
}

/** Watches all TelemetryConfigs and NodeTelemetries, and keeps the status of the TelemetryConfigs up to date, until the signal aborts. */
export async function runStatusController(options: ConfigStatusesOptions, signal: AbortSignal): Promise<void> {
  const { log, clock } = options;
  const reporter = new ConfigReporter(options);
  await using configs = reflector<ConfigSummary>(options, "TelemetryConfigs", {
    path: resourcePath(TELEMETRY_CONFIGS),
    project: readConfigSummary,
    onChange: ({ key }) => {
      writer.changed(key);
    },
  });
  await using nodes = reflector<NodeSummary>(options, "NodeTelemetries", {
    path: resourcePath(NODE_TELEMETRIES),
    project: readNodeSummary,
    onChange: ({ before, after }) => {
      for (const name of [...selectorsOf(before), ...selectorsOf(after)]) writer.changed(name);
    },
  });
  const writer = new ConfigStatusWriter({
    ...options,
    configs: () => configs.objects.values(),
    reports: () => nodes.objects.values(),
    // While the watches are stale, silent nodes are not reported as stale. The first bookmark after an outage ends this.
    current: () => Math.max(configs.staleMs, nodes.staleMs) < STALE_MS,
    write: (config, status, stop) => reporter.write(config, status, stop),
    announce: (config, condition, stop) => reporter.announce(config, condition, stop),
    faulted: ({ name }, error) => {
      log.error({ err: error, code: "E_INTERNAL", config: name }, "status not computed");
    },
    clock,
  });
  configs.start();
  nodes.start();
  options.onWatching?.({ configs, nodes });
  await writer.run(signal);
}

function reflector<T>(
  options: ConfigStatusesOptions,
  what: string,
  kind: Pick<ReflectorOptions<T>, "path" | "project" | "onChange">,
): Reflector<T> {
  // The newest state costs the API server more, but only the leading controller reads these lists.
  return new Reflector<T>({
    ...options,
    ...kind,
    freshness: "newest",
    observer: reflectorLog(options.log, what, options.clock),
  });
}

function selectorsOf(summary: NodeSummary | undefined): readonly string[] {
  return summary?.status?.selectedBy ?? [];
}

/** Returns the fields of a TelemetryConfig that the controller uses; undefined if `raw` is not a TelemetryConfig. */
function readConfigSummary(raw: unknown): ConfigSummary | undefined {
  const config = readClusterObject(raw);
  if (config === undefined) return undefined;
  const { name, uid, generation, faults, state } = config;
  const { spec, status } = recordOf(raw);
  const { targets } = recordOf(spec);
  return {
    name,
    uid,
    generation,
    faults,
    suspended: state === "Suspended",
    targetCount: Array.isArray(targets) ? targets.length : 0,
    // The API server checks the types. A status without conditions was not written by a controller.
    status: Array.isArray(recordOf(status)["conditions"]) ? (status as TelemetryConfigStatus) : undefined,
  };
}
