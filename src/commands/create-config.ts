import { createConfig } from "../cluster/create-config.ts";
import { readConfigFile } from "../config/file-source.ts";
import { KubeApi } from "../kubernetes/api.ts";
import { findAccess } from "../kubernetes/find-access.ts";
import { systemClock } from "../lib/clock.ts";
import { VERSION } from "../version.ts";

const PATIENCE_MS = 60_000;

/** Makes the TelemetryConfig of a file in the cluster, if there is none of its name. Resolves to the exit code. */
export async function createConfigOf(file: string, stop: AbortSignal, print: (line: string) => void): Promise<number> {
  const config = await readConfigFile(file, { cluster: true });
  const silent = { connected: () => undefined, disconnected: () => undefined };
  await using client = new KubeApi({
    readAccess: findAccess({ env: process.env }),
    clock: systemClock,
    userAgent: `kubevirt-telemetry/${VERSION}`,
    observer: silent,
  });
  const signal = AbortSignal.any([stop, AbortSignal.timeout(PATIENCE_MS)]);
  const result = await createConfig(config, { client, clock: systemClock, waiting: print, signal });
  const name = `TelemetryConfig ${config.metadata.name}`;
  print(result === "created" ? `${name} is made` : `${name} is there already and stays as it is`);
  return 0;
}
