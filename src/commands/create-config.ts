import { connectToCluster } from "../cluster/connect.ts";
import { createConfig } from "../cluster/create-config.ts";
import { readConfigFile } from "../config/file-source.ts";
import { systemClock } from "../lib/clock.ts";
import { VERSION } from "../version.ts";

const TIMEOUT_MS = 60_000;

/** Creates the TelemetryConfig of a file in the cluster, unless one of this name exists. Resolves to the exit code. */
export async function createConfigFromFile(
  file: string,
  stop: AbortSignal,
  print: (line: string) => void,
): Promise<number> {
  const config = await readConfigFile(file, { cluster: true });
  await using client = connectToCluster({ env: process.env, version: VERSION, clock: systemClock }).client;
  const signal = AbortSignal.any([stop, AbortSignal.timeout(TIMEOUT_MS)]);
  const result = await createConfig(config, { client, clock: systemClock, waiting: print, signal });
  const name = `TelemetryConfig ${config.metadata.name}`;
  print(result === "created" ? `${name} created` : `${name} exists already and is not changed`);
  return 0;
}
