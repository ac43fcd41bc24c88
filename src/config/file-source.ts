import { TelemetryError, messageOf } from "../errors.ts";
import type { ConfigFault, ConfigReading, ConfigSource } from "./config-loop.ts";
import { foreignText } from "../lib/display-text.ts";
import { PolledFile } from "../lib/polled-file.ts";
import { parseConfig, type Fault, type ParseOptions } from "./parse.ts";
import { accessError, resolveConfig } from "./resolve.ts";
import type { TelemetryConfig } from "./schema.ts";
import type { SecretSource } from "./secrets-dir.ts";
import { TargetAccessReader } from "./target-access.ts";

/** An error has this number of faults at most. The command `validate` prints all. */
const MAX_FAULTS = 50;
/** Time between two polls of the file and the secrets, which is simpler and safer than to watch them. */
const POLL_MS = 5_000;
/** More than any configuration has. */
const MAX_BYTES = 16 << 20;

/** Longest text of one fault, which quotes names of the file. */
const MAX_FAULT = 1_000;

/** Returns a fault as `file:line: path: message`, one printable line. */
export function formatFault(file: string, { line, path, message }: Fault): string {
  return foreignText(`${file}:${line}: ${path === "" ? "" : `${path}: `}${message}`, MAX_FAULT);
}

/**
 * Returns the checked content of a configuration file.
 * @throws {TelemetryError} E_CONFIG_UNREADABLE, E_CONFIG_INVALID with a line for each fault
 */
export async function readConfigFile(file: string, options?: ParseOptions): Promise<TelemetryConfig> {
  return checked(file, await readText(file, new PolledFile(file, MAX_BYTES)), options);
}

async function readText(file: string, content: PolledFile): Promise<string> {
  try {
    return await content.read();
  } catch (error) {
    throw new TelemetryError("E_CONFIG_UNREADABLE", `${file} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

function checked(file: string, text: string, options?: ParseOptions): TelemetryConfig {
  const { config, faults } = parseConfig(text, options);
  if (config !== undefined) return config;
  const lines = faults.slice(0, MAX_FAULTS).map((fault) => formatFault(file, fault));
  const more = faults.length > MAX_FAULTS ? [`and ${faults.length - MAX_FAULTS} more faults`] : [];
  throw new TelemetryError("E_CONFIG_INVALID", ["the configuration is invalid", ...lines, ...more]);
}

/** A configuration file and its secrets. */
export class FileConfigSource implements ConfigSource {
  /** Each agent reads its own file, so the polls of many agents cost a server nothing. */
  readonly spreadMs = 0;
  readonly #file: string;
  readonly #content: PolledFile;
  readonly #access: TargetAccessReader;
  /** The last good content. Cached: parsing takes as long as writing the lines of a cycle, and the file rarely changes. */
  #checked: { readonly text: string; readonly config: TelemetryConfig } | undefined;

  constructor(file: string, secrets: SecretSource) {
    this.#file = file;
    this.#content = new PolledFile(file, MAX_BYTES);
    this.#access = new TargetAccessReader(secrets);
  }

  /** Faults have the codes of `readConfigFile`, or of a Secret. */
  async read(): Promise<ConfigReading> {
    const pollMs = POLL_MS;
    try {
      const rejected = await this.#update();
      if (this.#checked === undefined) throw rejected ?? new Error("a file without a fault has no content");
      const config = await resolveConfig(this.#checked.config, this.#access);
      const error = rejected ?? accessError(config);
      const fault = error && faultOf(error);
      return {
        kind: "config",
        config,
        origin: { name: this.#file },
        fault,
        isOutdated: rejected !== undefined,
        pollMs,
      };
    } catch (error) {
      if (!(error instanceof TelemetryError)) throw error;
      return { kind: "faulty", fault: faultOf(error), pollMs };
    }
  }

  /** Reads the file. Resolves to why its content cannot be used; the last good content is then kept. */
  async #update(): Promise<TelemetryError | undefined> {
    const name = this.#file;
    try {
      const text = await readText(name, this.#content);
      if (this.#checked?.text !== text) this.#checked = { text, config: checked(name, text) };
      return undefined;
    } catch (error) {
      if (error instanceof TelemetryError) return error;
      throw error;
    }
  }
}

function faultOf(error: TelemetryError): ConfigFault {
  return { reason: error.code, error };
}
