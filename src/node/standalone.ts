import { ConfigLoop, type ConfigSource } from "../config/config-loop.ts";
import { FileConfigSource } from "../config/file-source.ts";
import { PrintConfigSource } from "../config/print-source.ts";
import { secretsDirectory } from "../config/secrets-dir.ts";
import { unexpected } from "../errors.ts";
import { keepRunning } from "../lib/keep-running.ts";
import { localEndpoints } from "./endpoints.ts";
import type { NodeMode, NodeOptions, NodeParts } from "./node-mode.ts";

/** Returns the source of a configuration without a cluster; undefined if the configuration comes from the cluster. */
export function localConfig({ configFile, secretsDir, print }: NodeOptions): ConfigSource | undefined {
  if (print !== undefined) return new PrintConfigSource(configFile);
  return configFile === undefined ? undefined : new FileConfigSource(configFile, secretsDirectory(secretsDir));
}

/**
 * Returns the mode without Kubernetes: the configuration is local, and the sockets are plain ones or those of launchers.
 * @throws {TelemetryError} if the configuration cannot be used
 */
export async function standaloneNode(options: NodeOptions & NodeParts, source: ConfigSource): Promise<NodeMode> {
  const { clock, log, nodeLog } = options;
  const config = new ConfigLoop(source, clock);
  await config.load();
  const reload = (): void => {
    config.reload();
  };
  return {
    config,
    findEndpoints: localEndpoints(options, clock, (socket, dead) => {
      log.warn({ socket, dead }, "sockets without a libvirt daemon: the next one is used");
    }),
    watches: () => [],
    async run(listener, _pipeline, signal) {
      process.on("SIGHUP", reload);
      await keepRunning(() => config.run(listener, signal), {
        clock,
        signal,
        failed: (error) => {
          nodeLog.failed(unexpected("reading the configuration", error));
        },
      });
      process.off("SIGHUP", reload);
    },
  };
}
