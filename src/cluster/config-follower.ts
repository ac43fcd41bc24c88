import type { ClusterConfig } from "../config/cluster-object.ts";
import { fingerprint, resolveConfig, type EffectiveConfig } from "../config/resolve.ts";
import type { SecretSource } from "../config/secrets-dir.ts";
import { selectConfig } from "../config/select.ts";
import type { Labels } from "../config/selectors.ts";
import { TelemetryError } from "../errors.ts";
import { isAborted } from "../lib/abort.ts";
import { InterruptibleSleep } from "../lib/interruptible-sleep.ts";
import type { Clock } from "../lib/clock.ts";

/** Secrets are read again this often, so that a rotated token is used in time. */
const REFRESH_MS = 300_000;
/** After a Secret was not to be had, or a target has refused its credentials. */
const RETRY_MS = 10_000;
/** An object that changes changes for thousands of nodes, and each of them reads its Secrets. */
const SPREAD_MS = 5_000;

export interface FollowerOptions {
  readonly configs: ReadonlyMap<string, ClusterConfig>;
  /** The labels of the node; asked for only when an object selects nodes by them. */
  readonly labels: () => Promise<Labels>;
  readonly secrets: SecretSource;
  readonly clock: Clock;
  readonly random?: () => number;
  readonly listener: FollowerListener;
}

export interface FollowerListener {
  /** Another configuration is to be used from now on; none: nothing governs the node. */
  changed(config: EffectiveConfig | undefined, governing: Governing | undefined): void;
  /** The configuration that the cluster asks for cannot be used; the one before stays in force. Said once. */
  invalid(fault: ConfigFault): void;
  /** The API server did not answer a question; what is in force stays in force. */
  interrupted(error: TelemetryError): void;
}

export interface Governing {
  readonly name: string;
  readonly uid: string;
  readonly observedGeneration: number;
}

export interface ConfigFault {
  readonly reason: "InvalidConfig" | "SecretNotFound";
  readonly message: string;
}

/** Finds out which TelemetryConfig governs the node and what it means, whenever something of it may have changed. */
export class ConfigFollower {
  readonly #options: FollowerOptions;
  readonly #alarm: InterruptibleSleep;
  #governing: Governing | undefined;
  #selectedBy: readonly string[] = [];
  #fault: ConfigFault | undefined;
  #inForce = "";
  #askedMs = Number.NEGATIVE_INFINITY;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#alarm = new InterruptibleSleep(options.clock);
  }

  /** The object whose configuration is in force, with the generation that it had. */
  get governing(): Governing | undefined {
    return this.#governing;
  }

  /** Names of the Active objects that select the node, the governing one first. */
  get selectedBy(): readonly string[] {
    return this.#selectedBy;
  }

  get fault(): ConfigFault | undefined {
    return this.#fault;
  }

  /** The objects have changed. */
  changed(): void {
    this.#alarm.interrupt();
  }

  /** A target has refused its credentials: they may have been replaced. */
  suspectSecrets(): void {
    if (this.#options.clock.monotonic() - this.#askedMs >= RETRY_MS) this.#alarm.interrupt();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, random = Math.random } = this.#options;
    signal.addEventListener(
      "abort",
      () => {
        this.#alarm.interrupt();
      },
      { once: true },
    );
    while (!isAborted(signal)) {
      const againMs = await this.#look();
      if (isAborted(signal)) break;
      await this.#alarm.sleep(againMs);
      if (!isAborted(signal)) await clock.sleep(random() * SPREAD_MS, signal);
    }
  }

  /** Looks once; returns after how many milliseconds to look again if nothing happens. */
  async #look(): Promise<number> {
    const { configs, labels, secrets, listener, clock } = this.#options;
    this.#askedMs = clock.monotonic();
    try {
      const selective = [...configs.values()].some(({ nodeSelector }) => Object.keys(nodeSelector).length > 0);
      const { governing, overridden } = selectConfig(configs.values(), selective ? await labels() : {});
      this.#selectedBy = governing === undefined ? [] : [governing.name, ...overridden.map(({ name }) => name)];
      if (governing === undefined) {
        this.#use(undefined, undefined);
        return REFRESH_MS;
      }
      if (governing.config === undefined) {
        this.#refuse({ reason: "InvalidConfig", message: `${governing.name}: ${governing.faults.join("; ")}` });
        return REFRESH_MS;
      }
      const { name, uid, generation } = governing;
      const config = await resolveConfig(governing.config, secrets);
      this.#use(config, { name, uid, observedGeneration: generation });
      return REFRESH_MS;
    } catch (error) {
      if (!(error instanceof TelemetryError)) throw error;
      if (error.code === "E_SECRET_NOT_FOUND") this.#refuse({ reason: "SecretNotFound", message: error.message });
      else listener.interrupted(error);
      return RETRY_MS;
    }
  }

  #use(config: EffectiveConfig | undefined, governing: Governing | undefined): void {
    this.#fault = undefined;
    const seen = config === undefined ? "none" : `${governing?.uid ?? ""} ${fingerprint(config)}`;
    this.#governing = governing;
    if (seen === this.#inForce) return;
    this.#inForce = seen;
    this.#options.listener.changed(config, governing);
  }

  #refuse(fault: ConfigFault): void {
    const known = this.#fault?.message === fault.message;
    this.#fault = fault;
    if (!known) this.#options.listener.invalid(fault);
  }
}
