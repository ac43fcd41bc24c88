import { ConfigLoop } from "../config/config-loop.ts";
import { FileConfigSource } from "../config/file-source.ts";
import { secretsDirectory } from "../config/secrets-dir.ts";
import { localEndpoints } from "./endpoints.ts";
import type { NodeMode, NodeOptions, NodeParts } from "./node-mode.ts";

/**
 * Returns the mode without Kubernetes: the configuration is a file, and the sockets are plain ones or those of launchers.
 * @throws {TelemetryError} if the file cannot be used
 */
export async function standaloneNode(options: NodeOptions & NodeParts, configFile: string): Promise<NodeMode> {
  const { secretsDir, clock } = options;
  const config = new ConfigLoop(new FileConfigSource(configFile, secretsDirectory(secretsDir)), clock);
  await config.load();
  const reload = (): void => {
    config.reload();
  };
  return {
    config,
    findEndpoints: localEndpoints(options, clock),
    watches: () => [],
    async run(listener, _pipeline, signal) {
      process.on("SIGHUP", reload);
      await config.run(listener, signal);
      process.off("SIGHUP", reload);
    },
  };
}
