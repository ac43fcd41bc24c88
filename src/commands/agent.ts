import { runAgent } from "../agent.ts";
import { TelemetryError } from "../errors.ts";
import { createLogger, type LogLevel, type LogStream } from "../log.ts";
import { DEFAULT_ADDRESS, parseListenAddress } from "../observability/listen-address.ts";

interface AgentArguments {
  readonly config?: string;
  readonly once?: boolean;
  readonly cycles?: number;
  readonly nodeName?: string;
  /** An entry may have several sockets with commas between, because an environment variable is one text. */
  readonly libvirtSocket?: readonly string[];
  readonly podsDir?: string;
  readonly spoolDir?: string;
  readonly secretsDir?: string;
  readonly listen?: string;
  readonly logLevel: LogLevel;
}

/** Runs the agent of a node. Resolves to the exit code. */
export async function agent(given: AgentArguments, signal: AbortSignal, stdout: LogStream): Promise<number> {
  if (given.once && given.cycles !== undefined) {
    throw new TelemetryError("E_USAGE", "--once and --cycles exclude each other: give one of them");
  }
  const cycles = given.once ? 1 : (given.cycles ?? Number.POSITIVE_INFINITY);
  return runAgent({
    configFile: given.config,
    cycles,
    nodeName: given.nodeName,
    podsDir: given.podsDir,
    libvirtSockets: given.libvirtSocket?.flatMap((sockets) => sockets.split(",")),
    spoolDir: given.spoolDir,
    secretsDir: given.secretsDir,
    // Off for a run by hand, because an agent may already listen on the default address.
    listen: parseListenAddress(given.listen ?? (Number.isFinite(cycles) ? "off" : DEFAULT_ADDRESS)),
    log: await createLogger(given.logLevel, stdout),
    signal,
  });
}
