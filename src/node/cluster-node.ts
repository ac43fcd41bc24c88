import type { NodeRole } from "./role.ts";
import { ConfigFollower, type FollowerListener } from "../cluster/config-follower.ts";
import { TELEMETRY_CONFIGS } from "../cluster/kinds.ts";
import { reflectorLog } from "../cluster/kube-log.ts";
import { OwnNode } from "../cluster/node-object.ts";
import { clusterSecrets } from "../cluster/secrets.ts";
import { VmiWatch } from "../cluster/vmi-watch.ts";
import type { Endpoint } from "../collection/libvirt/endpoint.ts";
import { readClusterObject, type ClusterConfig } from "../config/cluster-object.ts";
import { LauncherSockets } from "../discovery/launcher-sockets.ts";
import { TelemetryError } from "../errors.ts";
import { KubeApi } from "../kubernetes/api.ts";
import { findAccess } from "../kubernetes/find-access.ts";
import { Reflector } from "../kubernetes/reflector.ts";
import { resourcePath } from "../kubernetes/kube-object.ts";
import { LauncherLog } from "./launcher-log.ts";
import { ALL_VMS, namingRules, podsDirectoryError, vmiEndpoints } from "./launcher-endpoints.ts";
import { isAborted } from "../lib/abort.ts";
import { RateLimit, WARNING_PERIOD_MS } from "../lib/rate-limit.ts";
import type { ConfigView } from "../observability/agent-view.ts";
import { watchView } from "../observability/watch-view.ts";
import { NodeObserver } from "./observer.ts";
import { reportNode } from "./report-node.ts";
import type { Pipeline } from "./pipeline.ts";
import type { NodeObservation } from "../status/node-report.ts";
import { VERSION } from "../version.ts";

/** How long the first configuration waits for the VMIs, so that the first cycle has their launchers. */
const NAMES_MS = 10_000;
const CREDENTIALS_LOOK_MS = 5_000;

/** The node role in a cluster: configuration, names and reports go through the API server, the rest without it. */
export async function clusterNode(role: NodeRole, env: NodeJS.ProcessEnv): Promise<boolean> {
  const { nodeName, podsDir } = role;
  if (nodeName === undefined || podsDir === undefined) {
    const missing = nodeName === undefined ? "--node-name" : "--pods-dir";
    const why = "is missing: it is needed in a cluster. To run without one, give --config FILE";
    throw new TelemetryError("E_USAGE", `${missing} ${why}`);
  }
  const readAccess = findAccess({ env });
  const { namespace = "default" } = await readAccess();
  const { log, clock } = role;
  await using client = new KubeApi({
    readAccess,
    clock,
    userAgent: `kubevirt-telemetry/${VERSION}`,
    observer: {
      connected: () => {
        log.info("connected to the API server");
      },
      disconnected: ({ code, message }) => {
        log.warn({ code }, `no connection to the API server; what is in force stays in force: ${message}`);
      },
    },
  });
  log.info({ version: VERSION, node: nodeName, podsDir, sockets: role.libvirtSockets, namespace }, "started");
  return await new ClusterNode(role, client, { nodeName, podsDir, namespace }).run(
    env["KUBEVIRT_TELEMETRY_POD_UID"] ?? "",
  );
}

interface Place {
  readonly nodeName: string;
  readonly podsDir: string;
  /** The agent's own, in which its Secrets are. */
  readonly namespace: string;
}

class ClusterNode {
  readonly #role: NodeRole;
  readonly #place: Place;
  readonly #client: KubeApi;
  readonly #node: OwnNode;
  readonly #launchers: LauncherSockets;
  readonly #vmis: VmiWatch;
  readonly #configs: Reflector<ClusterConfig>;
  readonly #follower: ConfigFollower;
  readonly #pipeline: Pipeline;
  readonly #warnings: RateLimit;
  readonly #ended = new AbortController();

  constructor(role: NodeRole, client: KubeApi, place: Place) {
    const { clock, log } = role;
    this.#role = role;
    this.#place = place;
    this.#client = client;
    this.#warnings = new RateLimit(WARNING_PERIOD_MS, clock);
    this.#node = new OwnNode(client, place.nodeName, clock);
    this.#launchers = new LauncherSockets(place.podsDir, clock);
    this.#vmis = new VmiWatch({
      client,
      nodeName: place.nodeName,
      rules: namingRules(ALL_VMS, place.nodeName),
      log,
      clock,
    });
    this.#configs = new Reflector({
      client,
      path: resourcePath(TELEMETRY_CONFIGS),
      freshness: "any",
      project: readClusterObject,
      onChange: () => {
        this.#follower.changed();
      },
      observer: reflectorLog(log, "TelemetryConfigs", clock),
      clock,
    });
    this.#follower = new ConfigFollower({
      configs: this.#configs.objects,
      labels: async () => (await this.#node.get()).labels,
      secrets: clusterSecrets(client, place.namespace),
      clock,
      listener: this.#listener(),
    });
    this.#pipeline = role.pipeline({
      endpoints: () => this.#endpoints(),
      onApplied: (config) => {
        if (config !== undefined) this.#vmis.inventory.rules = namingRules(config, place.nodeName);
      },
    });
  }

  async run(podUID: string): Promise<boolean> {
    const { signal, cycles } = this.#role;
    this.#role.started({
      pipeline: this.#pipeline,
      config: () => this.#configView(),
      watches: () =>
        [["TelemetryConfigs", this.#configs] as const, ...this.#vmis.reflectors].map(([what, reflector]) =>
          watchView(what, reflector),
        ),
    });
    await using vmis = this.#vmis;
    await using configs = this.#configs;
    vmis.start();
    configs.start();
    const followed = this.#follow(podUID);
    try {
      return await this.#pipeline.run(cycles, signal);
    } finally {
      this.#ended.abort();
      // Before the others are waited for: nobody has to wait for a server that does not answer, or for a first list.
      await this.#client[Symbol.asyncDispose]();
      await configs.stop();
      await followed;
    }
  }

  /** Everything that goes on beside the pipeline. */
  async #follow(podUID: string): Promise<void> {
    const { log, clock, signal } = this.#role;
    const until = AbortSignal.any([signal, this.#ended.signal]);
    const { inventory } = this.#vmis;
    const launcherLog = new LauncherLog({ log, inventory, synced: () => this.#vmis.isSynced, clock });
    const launchers = this.#launchers.follow(until, () => {
      launcherLog.scanned(this.#launchers);
    });
    if (await this.#configs.synced) {
      await Promise.race([this.#vmis.synced, clock.sleep(NAMES_MS, until)]);
      await Promise.all([this.#follower.run(until), this.#watchCredentials(until), this.#report(podUID, until)]);
    }
    await launchers;
  }

  #endpoints(): Promise<readonly Endpoint[]> {
    const { error, launchers } = this.#launchers;
    if (error !== undefined) return Promise.reject(podsDirectoryError(error));
    // An administrator has named these: they are trusted, and their domains have their own names.
    const plain = (this.#role.libvirtSockets ?? []).map((socket) => ({ socket }));
    return Promise.resolve([...plain, ...vmiEndpoints(launchers, this.#vmis.inventory)]);
  }

  #configView(): Omit<ConfigView, "inForce"> {
    const { governing, fault } = this.#follower;
    return { source: governing?.name, generation: governing?.observedGeneration, fault };
  }

  /** While the configuration that is asked for cannot be used. */
  get #whatHolds(): string {
    const none = this.#follower.governing === undefined;
    return none ? "nothing is collected, for want of a configuration" : "the configuration before stays in force";
  }

  #listener(): FollowerListener {
    const { log } = this.#role;
    return {
      changed: (config, governing) => {
        this.#pipeline.configure(config);
        if (config === undefined) log.info("no Active TelemetryConfig selects this node: nothing is collected");
        else log.info({ ...governing }, "governed by a TelemetryConfig");
      },
      invalid: ({ reason, message }) => {
        log.error({ reason }, `${this.#whatHolds}: ${message}`);
      },
      interrupted: ({ code, message }) => {
        this.#warn(`${this.#whatHolds}: ${message}`, code);
      },
    };
  }

  /** A target that refuses its credentials may have got new ones, which a Secret holds already. */
  async #watchCredentials(until: AbortSignal): Promise<void> {
    const { router, clock } = this.#role;
    while (!isAborted(until)) {
      if (router.senders.some(({ state }) => state.reason === "TargetUnauthorized")) this.#follower.suspectSecrets();
      await clock.sleep(CREDENTIALS_LOOK_MS, until);
    }
  }

  async #report(podUID: string, until: AbortSignal): Promise<void> {
    const { router, clock } = this.#role;
    const { nodeName, podsDir } = this.#place;
    const observer = new NodeObserver({
      agent: { version: VERSION, podUID, startedMs: clock.now() },
      nodeName,
      podsDir,
      pipeline: this.#pipeline,
      router,
      inventory: this.#vmis.inventory,
      launchers: this.#launchers,
      config: this.#follower,
      clock,
    });
    const observe = (): NodeObservation => observer.observe();
    const failed = (message: string): void => {
      this.#warn(`this node's report cannot be written: ${message}`);
    };
    await reportNode({ client: this.#client, node: this.#node, observe, clock, failed }, until);
  }

  #warn(message: string, code?: string): void {
    // Whoever still waited for an answer is told at the end that there will be none.
    if (!this.#ended.signal.aborted && this.#warnings.allows(message)) this.#role.log.warn({ code }, message);
  }
}
