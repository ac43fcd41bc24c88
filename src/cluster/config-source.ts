import { readClusterObject, type ClusterConfig } from "../config/cluster-object.ts";
import {
  ConfigLoop,
  type ConfigFault,
  type ConfigOrigin,
  type ConfigReading,
  type ConfigSource,
} from "../config/config-loop.ts";
import { accessError, resolveConfig } from "../config/resolve.ts";
import type { SecretSource } from "../config/secrets-dir.ts";
import { TargetAccessReader } from "../config/target-access.ts";
import { selectConfig } from "../config/select.ts";
import type { Labels } from "../config/selectors.ts";
import { TelemetryError } from "../errors.ts";
import type { KubeClient } from "../kubernetes/api.ts";
import { Reflector } from "../kubernetes/reflector.ts";
import { resourcePath } from "../kubernetes/kube-object.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../log.ts";
import { TELEMETRY_CONFIGS } from "./kinds.ts";
import { reflectorLog } from "./kube-log.ts";
import type { OwnNode } from "./node-object.ts";
import { clusterSecrets } from "./secrets.ts";

/** The Secrets are read again this often, so that a rotated token is used in time. */
const REFRESH_MS = 300_000;
/** Time to the next poll after a Secret was missing or the API server did not answer. */
const RETRY_MS = 10_000;
/** Spreads the reads of Secrets: each of thousands of nodes reads them when an object changes. */
const SPREAD_MS = 5_000;

/** The TelemetryConfig that governs this node, with the generation that was read. */
export type GoverningConfig = Required<ConfigOrigin>;

export interface ClusterConfigSourceOptions {
  readonly configs: ReadonlyMap<string, ClusterConfig>;
  /** The labels of the node; read only if an object selects nodes by labels. */
  readonly labels: () => Promise<Labels>;
  readonly secrets: SecretSource;
}

/** The TelemetryConfigs of a cluster. One of them governs this node. */
export class ClusterConfigSource implements ConfigSource<GoverningConfig> {
  readonly spreadMs = SPREAD_MS;
  readonly #options: ClusterConfigSourceOptions;
  readonly #access: TargetAccessReader;
  #selectedBy: readonly string[] = [];
  #lastGood: ClusterConfig | undefined;

  constructor(options: ClusterConfigSourceOptions) {
    this.#options = options;
    this.#access = new TargetAccessReader(options.secrets);
  }

  /** Names of the Active objects that select the node, the governing one first. */
  get selectedBy(): readonly string[] {
    return this.#selectedBy;
  }

  /** The last object that governed this node and could be read. It is in use; undefined if no object governs the node. */
  get lastGood(): ClusterConfig | undefined {
    return this.#lastGood;
  }

  /** Takes over the last good object of an earlier process, for as long as the governing object cannot be read. */
  restore(lastGood: ClusterConfig): void {
    this.#lastGood = lastGood;
  }

  async read(): Promise<ConfigReading<GoverningConfig>> {
    try {
      return await this.#read();
    } catch (error) {
      if (!(error instanceof TelemetryError)) throw error;
      return { kind: "unavailable", error, pollMs: RETRY_MS };
    }
  }

  async #read(): Promise<ConfigReading<GoverningConfig>> {
    const { configs, labels } = this.#options;
    const needsLabels = [...configs.values()].some(({ nodeSelector }) => Object.keys(nodeSelector).length > 0);
    const { governing, overridden } = selectConfig(configs.values(), needsLabels ? await labels() : {});
    this.#selectedBy = governing === undefined ? [] : [governing.name, ...overridden.map(({ name }) => name)];
    if (governing === undefined) {
      this.#lastGood = undefined;
      return { kind: "none", pollMs: REFRESH_MS };
    }
    const isOutdated = governing.config === undefined;
    if (!isOutdated) this.#lastGood = governing;
    const { name, uid, generation, config } = this.#lastGood ?? governing;
    if (config === undefined) return { kind: "faulty", fault: invalidConfig(governing), pollMs: REFRESH_MS };
    // Also of an object that is outdated: its Secrets may have been rotated.
    const effective = await resolveConfig(config, this.#access);
    const error = accessError(effective);
    return {
      kind: "config",
      config: effective,
      origin: { name, uid, observedGeneration: generation },
      fault: isOutdated ? invalidConfig(governing) : error && { reason: "SecretNotFound", error },
      isOutdated,
      pollMs: error === undefined ? REFRESH_MS : RETRY_MS,
    };
  }
}

/** Returns why this version cannot read an object. */
function invalidConfig({ name, faults }: ClusterConfig): ConfigFault {
  const error = new TelemetryError("E_CONFIG_INVALID", `${name}: ${faults.join("; ")}`);
  return { reason: "InvalidConfig", error };
}

export interface ConfigWatchOptions {
  readonly client: KubeClient;
  readonly node: OwnNode;
  /** Where the agent's Secrets are. */
  readonly namespace: string;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random?: () => number;
}

/** A watch of the TelemetryConfigs, and the loop that derives this node's configuration from them. */
export interface ConfigWatch {
  readonly objects: Reflector<ClusterConfig>;
  readonly source: ClusterConfigSource;
  readonly loop: ConfigLoop<GoverningConfig>;
  /** Takes over the object that an earlier process used. Must come before `objects` is started. */
  restore(config: ClusterConfig): void;
}

/** Returns the watch of the TelemetryConfigs, and the loop that polls after each change. The caller starts both. */
export function watchConfigs(options: ConfigWatchOptions): ConfigWatch {
  const { client, node, namespace, log, clock, random = Math.random } = options;
  const objects = new Reflector({
    client,
    path: resourcePath(TELEMETRY_CONFIGS),
    freshness: "any",
    project: readClusterObject,
    onChange: () => {
      loop.wake();
    },
    observer: reflectorLog(log, "TelemetryConfigs", clock),
    clock,
    random,
  });
  const source = new ClusterConfigSource({
    configs: objects.objects,
    labels: async () => (await node.get()).labels,
    secrets: clusterSecrets(client, namespace),
  });
  const loop = new ConfigLoop(source, clock, random);
  return {
    objects,
    source,
    loop,
    restore: (config) => {
      // The first list replaces the object, perhaps by one that this version cannot read.
      source.restore(config);
      objects.restore(new Map([[config.name, config]]));
    },
  };
}
