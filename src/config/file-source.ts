import { readFile } from "node:fs/promises";
import { TelemetryError, messageOf } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { parseConfig, type Fault, type ParseOptions } from "./parse.ts";
import { resolveConfig, type EffectiveConfig } from "./resolve.ts";
import { fingerprint } from "./fingerprint.ts";
import type { TelemetryConfig } from "./schema.ts";
import type { SecretSource } from "./secrets-dir.ts";

/** How often the file and the secrets are looked at. Reading a few small files costs less than a watch that misses one. */
const POLL_MS = 5_000;

export interface ConfigListener {
  changed(config: EffectiveConfig): void;
  /** The file or a secret cannot be used as it is now; the configuration before stays in force. */
  invalid(error: TelemetryError): void;
}

/** `file:line: path: message`, the form in which faults are printed. */
export function formatFault(file: string, { line, path, message }: Fault): string {
  return `${file}:${line}: ${path === "" ? "" : `${path}: `}${message}`;
}

/**
 * Reads and checks a configuration file.
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
 * Reads a configuration file whole, with its secrets.
 * @throws {TelemetryError} as `readConfigFile`, and E_SECRET_NOT_FOUND
 */
export async function loadConfigFile(file: string, secrets: SecretSource): Promise<EffectiveConfig> {
  return resolveConfig(await readConfigFile(file), secrets);
}

/** Follows a configuration file and its secrets for as long as the signal lets it. */
export class ConfigFile {
  readonly #file: string;
  readonly #secrets: SecretSource;
  readonly #clock: Clock;
  /** Parsing and checking takes as long as writing the lines of a cycle, and the file is nearly always as it was. */
  #checked: { readonly text: string; readonly config: TelemetryConfig } | undefined;
  #current: string;
  #lastError = "";
  #fault: TelemetryError | undefined;
  #wake = new AbortController();

  /** `initial` is what `loadConfigFile` gave at the start. */
  constructor(file: string, secrets: SecretSource, initial: EffectiveConfig, clock: Clock) {
    this.#file = file;
    this.#secrets = secrets;
    this.#clock = clock;
    this.#current = fingerprint(initial);
  }

  /** Why the file or a secret cannot be used as it was found last. */
  get fault(): TelemetryError | undefined {
    return this.#fault;
  }

  /** Looks at once, as a SIGHUP asks for. */
  reload(): void {
    this.#lastError = "";
    this.#wake.abort();
  }

  async follow(listener: ConfigListener, signal: AbortSignal): Promise<void> {
    const ended = (): boolean => signal.aborted;
    while (!ended()) {
      await this.#clock.sleep(POLL_MS, AbortSignal.any([signal, this.#wake.signal]));
      // Before the look: what asks for another one while it lasts is not lost.
      this.#wake = new AbortController();
      if (!ended()) await this.#look(listener);
    }
  }

  async #look(listener: ConfigListener): Promise<void> {
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
      // A file that stays as it is is reported once.
      if (error.message !== this.#lastError) listener.invalid(error);
      this.#lastError = error.message;
    }
  }
}
