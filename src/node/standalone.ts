import { VERSION } from "../version.ts";
import type { NodeRole } from "./role.ts";
import type { Endpoint } from "../collection/endpoint-collector.ts";
import { ConfigFile, loadConfigFile } from "../config/file-source.ts";
import { secretsDirectory } from "../config/secrets-dir.ts";
import { VmiInventory } from "../discovery/inventory.ts";
import { LauncherSockets } from "../discovery/launcher-sockets.ts";
import { findLibvirtSocket } from "../discovery/libvirt-sockets.ts";
import { launcherEndpoints, namingRules, podsDirectoryError } from "./launcher-endpoints.ts";

/** The node role without Kubernetes: the configuration is a file, the sockets are plain ones or those of launchers. */
export async function standalone(role: NodeRole, configFile: string, secretsDir: string | undefined): Promise<boolean> {
  const { log, clock, signal, nodeName, podsDir, libvirtSockets, cycles } = role;
  const secrets = secretsDirectory(secretsDir);
  const config = await loadConfigFile(configFile, secrets);
  const file = new ConfigFile(configFile, secrets, config, clock);
  const inventory = new VmiInventory([], () => false, namingRules(config, nodeName));
  const launchers = podsDir === undefined ? undefined : new LauncherSockets(podsDir, clock);
  const pipeline = role.pipeline({
    endpoints: async () => {
      if (launchers !== undefined) return launcherEndpoints(await scan(launchers), inventory);
      return (libvirtSockets ?? [await findLibvirtSocket()]).map((socket): Endpoint => ({ socket }));
    },
    inForce: (config) => {
      if (config !== undefined) inventory.rules = namingRules(config, nodeName);
    },
  });
  pipeline.configure(config);
  log.info({ version: VERSION, node: nodeName, sockets: libvirtSockets, podsDir }, "started");

  const reload = (): void => {
    file.reload();
  };
  process.on("SIGHUP", reload);
  const ended = new AbortController();
  const following = file.follow(
    {
      changed: (changed) => {
        pipeline.configure(changed);
      },
      invalid: (error) => {
        log.error({ code: error.code }, `the configuration before stays in force: ${error.message}`);
      },
    },
    AbortSignal.any([signal, ended.signal]),
  );
  try {
    return await pipeline.run(cycles, signal);
  } finally {
    process.off("SIGHUP", reload);
    ended.abort();
    await following;
  }
}

async function scan(launchers: LauncherSockets): Promise<LauncherSockets["launchers"]> {
  try {
    await launchers.scan();
  } catch (error) {
    throw podsDirectoryError(error);
  }
  return launchers.launchers;
}
