import { VERSION } from "../version.ts";
import type { NodeRole } from "./role.ts";
import { ConfigFile, loadConfigFile } from "../config/file-source.ts";
import type { VmFilter } from "../config/selectors.ts";
import { secretsDirectory } from "../config/secrets-dir.ts";
import type { ConfigView } from "../observability/agent-view.ts";
import { localEndpoints } from "./local-endpoints.ts";

/** The node role without Kubernetes: the configuration is a file, the sockets are plain ones or those of launchers. */
export async function standalone(role: NodeRole, configFile: string, secretsDir: string | undefined): Promise<boolean> {
  const { log, clock, signal, nodeName, cycles } = role;
  const secrets = secretsDirectory(secretsDir);
  const config = await loadConfigFile(configFile, secrets);
  const file = new ConfigFile(configFile, secrets, config, clock);
  const vms = (): VmFilter => (pipeline.config ?? config).vms;
  const pipeline = role.pipeline({ endpoints: localEndpoints(role, vms, clock) });
  pipeline.configure(config);
  role.started({
    pipeline,
    config: () => ({ source: configFile, generation: undefined, fault: faultOf(file) }),
    watches: () => [],
  });
  const { libvirtSockets: sockets, podsDir } = role;
  log.info({ version: VERSION, node: nodeName, sockets, podsDir }, "started");

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

function faultOf({ fault }: ConfigFile): ConfigView["fault"] {
  return fault && { reason: fault.code, message: fault.message };
}
