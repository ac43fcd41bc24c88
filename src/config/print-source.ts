import type { ConfigReading, ConfigSource } from "./config-loop.ts";
import { readConfigFile } from "./file-source.ts";
import { parseConfig } from "./parse.ts";
import { resolveConfig, type EffectiveConfig } from "./resolve.ts";
import type { TelemetryConfig } from "./schema.ts";
import type { SecretSource } from "./secrets-dir.ts";

/** All defaults, and the target that stands for standard output: nothing is sent to its URL. */
const DEFAULTS = `
apiVersion: kubevirt-telemetry.io/v1alpha1
kind: TelemetryConfig
metadata: { name: print }
spec: { targets: [{ name: stdout, url: "http://stdout", tls: { mode: Plaintext }, v1: { database: stdout } }] }
`;

/** No target of the file is used, so no Secret is read. */
const NO_SECRETS: SecretSource = { read: () => Promise.resolve("unused") };

/** The configuration of `agent --print`: that of a file, or the defaults, with standard output as its only target. */
export class PrintConfigSource implements ConfigSource {
  readonly spreadMs = 0;
  readonly #file: string | undefined;

  constructor(file: string | undefined) {
    this.#file = file;
  }

  /** @throws {TelemetryError} as `readConfigFile` */
  async read(): Promise<ConfigReading> {
    const { targets, ...defaults } = await resolveConfig(defaultConfig(), NO_SECRETS);
    const { families, ...config }: Omit<EffectiveConfig, "targets"> =
      this.#file === undefined ? defaults : await resolveConfig(await readConfigFile(this.#file), NO_SECRETS);
    const printed = targets.map((target) => ({ ...target, families }));
    return {
      kind: "config",
      config: { ...config, families, targets: printed },
      origin: { name: this.#file ?? "defaults" },
      pollMs: Infinity,
    };
  }
}

function defaultConfig(): TelemetryConfig {
  const { config } = parseConfig(DEFAULTS);
  if (config === undefined) throw new Error("the default configuration is invalid");
  return config;
}
