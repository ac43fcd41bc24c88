import { isDeepStrictEqual } from "node:util";
import { connectToCluster } from "../cluster/connect.ts";
import { watchConfigs, type ConfigWatch } from "../cluster/config-source.ts";
import { OwnNode } from "../cluster/node-object.ts";
import { reportNode } from "../cluster/node-reporter.ts";
import { VmiWatch } from "../cluster/vmi-watch.ts";
import type { Endpoint } from "../collection/libvirt/endpoint.ts";
import type { ConfigListener } from "../config/config-loop.ts";
import type { EffectiveConfig } from "../config/resolve.ts";
import { LauncherSockets } from "../discovery/launcher-sockets.ts";
import type { Vmi } from "../discovery/vmi.ts";
import { unexpected } from "../errors.ts";
import type { KubeApi } from "../kubernetes/api.ts";
import { isAborted } from "../lib/abort.ts";
import { keepRunning } from "../lib/keep-running.ts";
import { msToNextRound } from "../lib/rounds.ts";
import { watchView, type WatchView } from "../observability/watch-view.ts";
import { VERSION } from "../version.ts";
import { clusterPlace } from "./cluster-place.ts";
import { ALL_VMS, namingRules, plainEndpoints, podsDirectoryError, vmiEndpoints } from "./endpoints.ts";
import { KnownObjectsKeeper } from "./known-objects.ts";
import type { KnownObjects } from "./known-objects-file.ts";
import { LauncherLog } from "./launcher-log.ts";
import { NodeReport } from "./node-report.ts";
import type { Pipeline } from "./pipeline.ts";
import type { NodeMode, NodeOptions, NodeParts } from "./node-mode.ts";

/**
 * The first configuration waits this long for the VMIs, so that the first cycle collects their launchers. A configuration
 * from before a restart waits this long for the API server.
 */
const NAMES_MS = 10_000;
const CREDENTIALS_POLL_MS = 5_000;

type Options = NodeOptions & NodeParts;

interface ClusterSettings {
  readonly client: KubeApi;
  /** The agent's namespace, which contains its Secrets. */
  readonly namespace: string;
  readonly nodeName: string;
  readonly podsDir: string;
  readonly podUID: string;
}

/**
 * Returns the mode in a cluster: configuration, names and reports go through the API server. Collection and delivery
 * continue without it.
 * @throws {TelemetryError} if an option or the access to the API server is missing
 */
export async function clusterNode(options: Options, env: NodeJS.ProcessEnv): Promise<NodeMode> {
  const { log, clock } = options;
  const { nodeName, podsDir } = clusterPlace(options);
  const cluster = connectToCluster({ env, version: VERSION, log, clock });
  const namespace = await cluster.readNamespace();
  const podUID = env["KUBEVIRT_TELEMETRY_POD_UID"] ?? "";
  return new ClusterNode(options, { client: cluster.client, namespace, nodeName, podsDir, podUID });
}

class ClusterNode implements NodeMode {
  readonly namespace: string;
  readonly #options: Options;
  readonly #settings: ClusterSettings;
  readonly #node: OwnNode;
  readonly #launchers: LauncherSockets;
  readonly #vmis: VmiWatch;
  readonly #configs: ConfigWatch;
  /** Undefined without a directory to keep them. */
  readonly #known: KnownObjectsKeeper | undefined;
  #named: EffectiveConfig | undefined;

  constructor(options: Options, settings: ClusterSettings) {
    const { log, clock } = options;
    const { client, nodeName, namespace } = settings;
    this.namespace = namespace;
    this.#options = options;
    this.#settings = settings;
    this.#node = new OwnNode(client, nodeName, clock);
    this.#vmis = new VmiWatch({
      client,
      nodeName,
      rules: namingRules(ALL_VMS, nodeName),
      log,
      clock,
      onChange: ({ before, after }) => {
        if (!isDeepStrictEqual(before?.pods, after?.pods)) this.#launchers.listChanged();
        if (!isDeepStrictEqual(withoutFacts(before), withoutFacts(after))) this.#known?.changed();
      },
    });
    const { inventory } = this.#vmis;
    this.#launchers = new LauncherSockets(settings.podsDir, clock, (podUid) => inventory.vmiOf(podUid) !== undefined);
    this.#configs = watchConfigs({ client, node: this.#node, namespace, log, clock });
    const file = options.knownObjectsFile;
    const current = (): KnownObjects => this.#knownObjects();
    this.#known = file === undefined ? undefined : new KnownObjectsKeeper({ file, nodeName, current, log, clock });
  }

  get config(): ConfigWatch["loop"] {
    return this.#configs.loop;
  }

  readonly findEndpoints = (config: EffectiveConfig): Promise<readonly Endpoint[]> => {
    const { inventory } = this.#vmis;
    if (config !== this.#named) inventory.rules = namingRules(config, this.#settings.nodeName);
    this.#named = config;
    this.#vmis.withFacts = config.targets.some(({ families }) => families.includes("Info"));
    const launchers = this.#launchers;
    if (launchers.error !== undefined) return Promise.reject(podsDirectoryError(launchers.error));
    const { libvirtSockets, launcherBudget } = this.#options;
    return Promise.resolve([...plainEndpoints(libvirtSockets), ...vmiEndpoints(launchers, inventory, launcherBudget)]);
  };

  watches(): readonly WatchView[] {
    return [["TelemetryConfigs", this.#configs.objects] as const, ...this.#vmis.reflectors].map(([what, reflector]) =>
      watchView(what, reflector),
    );
  }

  async run(listener: ConfigListener, pipeline: Pipeline, signal: AbortSignal): Promise<void> {
    const { log, clock, nodeLog } = this.#options;
    const { inventory } = this.#vmis;
    const steadily = (what: string, loop: () => Promise<void>): Promise<void> =>
      keepRunning(loop, {
        clock,
        signal,
        failed: (error) => {
          nodeLog.failed(unexpected(what, error));
        },
      });
    const known = await this.#restore();
    this.#vmis.start();
    this.#configs.objects.start();
    const launcherLog = new LauncherLog({ log, inventory, synced: () => this.#vmis.isSynced, clock });
    const launchers = steadily("looking for launchers", () =>
      this.#launchers.follow(signal, () => {
        launcherLog.scanned(this.#launchers);
      }),
    );
    if (await this.#firstLists(known, signal)) {
      await Promise.all([
        steadily("reading the configuration", () => this.config.run(this.#logged(listener), signal)),
        steadily("checking credentials", () => this.#recheckCredentials(signal)),
        steadily("reporting this node", () => this.#report(pipeline, signal)),
        steadily("saving the known VMs", async () => this.#known?.run(signal)),
      ]);
    }
    await launchers;
  }

  #knownObjects(): KnownObjects {
    const vmis = [...this.#vmis.reflectors].map(([what, { objects }]) => [what, objects] as const);
    return { config: this.#configs.source.lastGood, vmis: new Map(vmis) };
  }

  /** Takes over what an earlier agent knew, until the API server lists it. Returns whether there was a configuration. */
  async #restore(): Promise<boolean> {
    const known = await this.#known?.load();
    if (known === undefined) return false;
    this.#vmis.restore(known.vmis);
    if (known.config !== undefined) this.#configs.restore(known.config);
    return known.config !== undefined;
  }

  /** Waits for the first lists of the API server, if necessary. Returns whether there can be a configuration. */
  async #firstLists(known: boolean, signal: AbortSignal): Promise<boolean> {
    const { log, clock } = this.#options;
    const { objects } = this.#configs;
    if (!known) {
      const synced = await objects.synced;
      if (synced) await Promise.race([this.#vmis.synced, clock.sleep(NAMES_MS, signal)]);
      return synced;
    }
    await Promise.race([Promise.all([objects.synced, this.#vmis.synced]), clock.sleep(NAMES_MS, signal)]);
    if (!isAborted(signal) && !(Number.isFinite(objects.staleMs) && this.#vmis.isSynced))
      log.warn("the API server does not answer: the configuration and the VMs from before the restart are used");
    return !isAborted(signal);
  }

  /** Ends requests that the API server has not answered. Does not wait for the first lists. */
  async close(): Promise<void> {
    await this.#settings.client[Symbol.asyncDispose]();
    await Promise.all([this.#configs.objects.stop(), this.#vmis[Symbol.asyncDispose]()]);
  }

  #logged(listener: ConfigListener): ConfigListener {
    const { log } = this.#options;
    return {
      ...listener,
      changed: (config, origin) => {
        listener.changed(config, origin);
        this.#known?.changed();
        if (config === undefined) log.info("no Active TelemetryConfig selects this node: nothing is collected");
        else log.info({ ...origin }, "governed by a TelemetryConfig");
      },
    };
  }

  /** Reads the Secrets again while a target rejects its credentials: a Secret may contain new ones already. */
  async #recheckCredentials(signal: AbortSignal): Promise<void> {
    const { router, clock } = this.#options;
    while (!isAborted(signal)) {
      if (router.senders.some(({ state }) => state.reason === "TargetUnauthorized")) this.config.recheckSecrets();
      await clock.sleep(msToNextRound(CREDENTIALS_POLL_MS, clock), signal);
    }
  }

  async #report(pipeline: Pipeline, signal: AbortSignal): Promise<void> {
    const { nodeLog, state, router, clock } = this.#options;
    const { client, podUID, podsDir } = this.#settings;
    const { loop: config, source } = this.#configs;
    const report = new NodeReport({
      agent: { version: VERSION, podUID, startedMs: clock.now() },
      podsDir,
      state,
      pipeline,
      router,
      inventory: this.#vmis.inventory,
      vmis: this.#vmis,
      launchers: this.#launchers,
      config,
      selectedBy: () => source.selectedBy,
      clock,
    });
    const failed = (message: string): void => {
      if (!signal.aborted) nodeLog.reportFailed(message);
    };
    await reportNode({ client, node: this.#node, observe: () => report.observe(), clock, failed }, signal);
  }
}

/** The file has no facts, so it does not change with them. */
function withoutFacts(vmi: Vmi | undefined): Vmi | undefined {
  return vmi && { ...vmi, facts: undefined };
}
