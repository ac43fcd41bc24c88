import type { ConfigReading, ConfigSource } from "./config-loop.ts";
import { FileConfigSource } from "./file-source.ts";
import { parseConfig } from "./parse.ts";
import { resolveConfig } from "./resolve.ts";
import type { TelemetryConfig } from "./schema.ts";
import type { SecretSource } from "./secrets-dir.ts";
import { TargetAccessReader } from "./target-access.ts";

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
  readonly #file: FileConfigSource | undefined;

  constructor(file: string | undefined) {
    this.#file = file === undefined ? undefined : new FileConfigSource(file, NO_SECRETS);
  }

  /** Faults are those of FileConfigSource. */
  async read(): Promise<ConfigReading> {
    const config = await resolveConfig(defaultConfig(), new TargetAccessReader(NO_SECRETS));
    const reading = await this.#file?.read();
    if (reading === undefined)
      return { kind: "config", config, origin: { name: "defaults" }, fault: undefined, pollMs: Infinity };
    if (reading.kind !== "config") return reading;
    const { families } = reading.config;
    const targets = config.targets.map((target) => ({ ...target, families }));
    return { ...reading, config: { ...reading.config, targets } };
  }
}

function defaultConfig(): TelemetryConfig {
  const { config } = parseConfig(DEFAULTS);
  if (config === undefined) throw new Error("the default configuration is invalid");
  return config;
}
