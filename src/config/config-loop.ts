import type { ErrorCode, TelemetryError } from "../errors.ts";
import { isAborted } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { InterruptibleSleep } from "../lib/interruptible-sleep.ts";
import { fingerprint, type EffectiveConfig } from "./resolve.ts";

/** The file or the object that a configuration comes from. */
export interface ConfigOrigin {
  readonly name: string;
  /** Of an object. An object with another UID is another configuration, even if its content is the same. */
  readonly uid?: string;
  readonly observedGeneration?: number;
}

/** Why a configuration cannot be used. */
export interface ConfigFault {
  /** A code for a file, a reason of NodeTelemetry for an object. */
  readonly reason: "InvalidConfig" | "SecretNotFound" | ErrorCode;
  readonly error: TelemetryError;
}

/** The result of one poll of a source. */
export type ConfigReading<Origin extends ConfigOrigin = ConfigOrigin> = {
  /** Milliseconds until the next poll; Infinity if only `wake` causes one. */
  readonly pollMs: number;
} & (
  | {
      readonly kind: "config";
      readonly config: EffectiveConfig;
      readonly origin: Origin;
      /** A target lacks a Secret, and the configuration is used without that target; or why it is outdated. */
      readonly fault: ConfigFault | undefined;
      /** Whether this is the last good configuration, with its Secrets read again: the new one cannot be used. */
      readonly isOutdated?: boolean;
    }
  /** No configuration applies to this node. */
  | { readonly kind: "none" }
  /** The configuration cannot be used, and the source knows no earlier one. */
  | { readonly kind: "faulty"; readonly fault: ConfigFault }
  /** The source does not answer, so the configuration is unknown. */
  | { readonly kind: "unavailable"; readonly error: TelemetryError }
);

export interface ConfigSource<Origin extends ConfigOrigin = ConfigOrigin> {
  /** Each poll after the first is delayed by a random time up to this, in milliseconds. */
  readonly spreadMs: number;
  read(): Promise<ConfigReading<Origin>>;
}

export interface ConfigListener<Origin extends ConfigOrigin = ConfigOrigin> {
  /** The first configuration, or one that differs from the previous one; both undefined if no configuration applies. */
  changed(config: EffectiveConfig | undefined, origin: Origin | undefined): void;
  /**
   * The configuration cannot be used, and the previous one stays active. Called once for each fault, after `changed` if the
   * previous one is from before a restart.
   */
  rejected(fault: ConfigFault): void;
  /** The configuration is used, and a target lacks a Secret. Called once for each fault, after `changed`. */
  incomplete(fault: ConfigFault): void;
  /** The source does not answer, and the previous configuration stays active. Called after each failed poll. */
  unavailable(error: TelemetryError): void;
}

/** The minimum age of a poll before `recheckSecrets` causes another one. */
const RECHECK_MS = 10_000;

/** Polls a source for the configuration of this node, and reports changes and faults to a listener. */
export class ConfigLoop<Origin extends ConfigOrigin = ConfigOrigin> {
  readonly #source: ConfigSource<Origin>;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #sleep: InterruptibleSleep;
  #loaded: ConfigReading<Origin> | undefined;
  /** The fingerprint of the current configuration; undefined before the first one. */
  #current: string | undefined;
  #origin: Origin | undefined;
  #fault: ConfigFault | undefined;
  #reportedFault = "";
  #polledMs = Number.NEGATIVE_INFINITY;

  constructor(source: ConfigSource<Origin>, clock: Clock, random: () => number = Math.random) {
    this.#source = source;
    this.#clock = clock;
    this.#random = random;
    this.#sleep = new InterruptibleSleep(clock);
  }

  /** Where the current configuration comes from; undefined without one. */
  get origin(): Origin | undefined {
    return this.#origin;
  }

  /** Why the last configuration that was read is not the current one, or what one of its targets lacks. */
  get fault(): ConfigFault | undefined {
    return this.#fault;
  }

  /**
   * Reads the first configuration before `run`.
   * @throws {TelemetryError} if it cannot be used
   */
  async load(): Promise<void> {
    const reading = await this.#read();
    if (reading.kind === "faulty") throw reading.fault.error;
    if (reading.kind === "unavailable") throw reading.error;
    this.#loaded = reading;
  }

  /** Polls soon, because the source may have changed. */
  wake(): void {
    this.#sleep.interrupt();
  }

  /** Polls soon, and reports a known fault again. */
  reload(): void {
    this.#reportedFault = "";
    this.wake();
  }

  /** Polls soon, but at most every 10 seconds. For a target that rejected its credentials, which may have been replaced. */
  recheckSecrets(): void {
    if (this.#clock.monotonic() - this.#polledMs >= RECHECK_MS) this.wake();
  }

  /** Polls until the signal aborts. A configuration that `load` has read is reported before the first await. */
  async run(listener: ConfigListener<Origin>, signal: AbortSignal): Promise<void> {
    const stop = (): void => {
      this.#sleep.interrupt();
    };
    signal.addEventListener("abort", stop, { once: true });
    while (!isAborted(signal)) {
      const reading = this.#loaded ?? (await this.#read());
      this.#loaded = undefined;
      if (isAborted(signal)) break;
      this.#use(reading, listener);
      await this.#sleep.sleep(reading.pollMs);
      const { spreadMs } = this.#source;
      if (spreadMs > 0 && !isAborted(signal)) await this.#clock.sleep(this.#random() * spreadMs, signal);
    }
  }

  #read(): Promise<ConfigReading<Origin>> {
    this.#polledMs = this.#clock.monotonic();
    return this.#source.read();
  }

  #use(reading: ConfigReading<Origin>, listener: ConfigListener<Origin>): void {
    switch (reading.kind) {
      case "config":
        this.#accept(reading.config, reading.origin, listener);
        this.#report(reading.fault, (fault) => {
          if (reading.isOutdated === true) listener.rejected(fault);
          else listener.incomplete(fault);
        });
        break;
      case "none":
        this.#accept(undefined, undefined, listener);
        this.#report(undefined);
        break;
      case "faulty":
        this.#report(reading.fault, (fault) => {
          listener.rejected(fault);
        });
        break;
      case "unavailable":
        listener.unavailable(reading.error);
    }
  }

  #accept(config: EffectiveConfig | undefined, origin: Origin | undefined, listener: ConfigListener<Origin>): void {
    this.#origin = origin;
    const next = config === undefined ? "none" : `${origin?.uid ?? ""} ${fingerprint(config)}`;
    if (next === this.#current) return;
    this.#current = next;
    listener.changed(config, origin);
  }

  #report(fault: ConfigFault | undefined, report?: (fault: ConfigFault) => void): void {
    this.#fault = fault;
    const message = fault?.error.message ?? "";
    if (message === this.#reportedFault) return;
    this.#reportedFault = message;
    if (fault !== undefined) report?.(fault);
  }
}
