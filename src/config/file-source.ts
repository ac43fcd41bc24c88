import { readFile } from "node:fs/promises";
import { TelemetryError, messageOf } from "../errors.ts";
import { isAborted } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { parseConfig, type Fault, type ParseOptions } from "./parse.ts";
import { resolveConfig, type EffectiveConfig } from "./resolve.ts";
import { fingerprint } from "./resolve.ts";
import type { TelemetryConfig } from "./schema.ts";
import type { SecretSource } from "./secrets-dir.ts";

/** Time between two polls of the file and the secrets. Reading a few small files is simpler and safer than a file watch. */
const POLL_MS = 5_000;

export interface ConfigListener {
  changed(config: EffectiveConfig): void;
  /** The file or a secret cannot be used; the previous configuration stays active. */
  invalid(error: TelemetryError): void;
}

/** Returns a fault as `file:line: path: message`. */
export function formatFault(file: string, { line, path, message }: Fault): string {
  return `${file}:${line}: ${path === "" ? "" : `${path}: `}${message}`;
}

/**
 * Returns the checked content of a configuration file.
 * @throws {TelemetryError} E_CONFIG_UNREADABLE, E_CONFIG_INVALID with every fault on a line
 */
export async function readConfigFile(file: string, options?: ParseOptions): Promise<TelemetryConfig> {
  return checked(file, await readText(file), options);
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new TelemetryError("E_CONFIG_UNREADABLE", `${file} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

function checked(file: string, text: string, options?: ParseOptions): TelemetryConfig {
  const { config, faults } = parseConfig(text, options);
  if (config !== undefined) return config;
  const lines = faults.map((fault) => formatFault(file, fault));
  throw new TelemetryError("E_CONFIG_INVALID", `the configuration is invalid\n${lines.join("\n")}`);
}

/**
 * Returns the content of a configuration file, with its secrets.
 * @throws {TelemetryError} as `readConfigFile`, and E_SECRET_NOT_FOUND
 */
export async function loadConfigFile(file: string, secrets: SecretSource): Promise<EffectiveConfig> {
  return resolveConfig(await readConfigFile(file), secrets);
}

/** Polls a configuration file and its secrets, and tells a listener about changes. */
export class ConfigFile {
  readonly #file: string;
  readonly #secrets: SecretSource;
  readonly #clock: Clock;
  /** Cached: parsing and checking takes as long as writing the lines of a cycle, and the file rarely changes. */
  #checked: { readonly text: string; readonly config: TelemetryConfig } | undefined;
  #current: string;
  #lastError = "";
  #fault: TelemetryError | undefined;
  #wake = new AbortController();

  /** `initial` is the configuration that `loadConfigFile` returned at the start. */
  constructor(file: string, secrets: SecretSource, initial: EffectiveConfig, clock: Clock) {
    this.#file = file;
    this.#secrets = secrets;
    this.#clock = clock;
    this.#current = fingerprint(initial);
  }

  /** Why the last poll found a file or secret that cannot be used. */
  get fault(): TelemetryError | undefined {
    return this.#fault;
  }

  /** Polls at once, on SIGHUP. */
  reload(): void {
    this.#lastError = "";
    this.#wake.abort();
  }

  /** Polls until the signal aborts. */
  async follow(listener: ConfigListener, signal: AbortSignal): Promise<void> {
    while (!isAborted(signal)) {
      await this.#clock.sleep(POLL_MS, AbortSignal.any([signal, this.#wake.signal]));
      // Replaced before the poll, so that a `reload` during the poll causes another one.
      this.#wake = new AbortController();
      if (!isAborted(signal)) await this.#poll(listener);
    }
  }

  async #poll(listener: ConfigListener): Promise<void> {
    try {
      const text = await readText(this.#file);
      if (this.#checked?.text !== text) this.#checked = { text, config: checked(this.#file, text) };
      const config = await resolveConfig(this.#checked.config, this.#secrets);
      this.#lastError = "";
      this.#fault = undefined;
      const seen = fingerprint(config);
      if (seen === this.#current) return;
      this.#current = seen;
      listener.changed(config);
    } catch (error) {
      if (!(error instanceof TelemetryError)) throw error;
      this.#fault = error;
      // The same fault is reported once.
      if (error.message !== this.#lastError) listener.invalid(error);
      this.#lastError = error.message;
    }
  }
}
