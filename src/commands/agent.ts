import { runAgent } from "../agent.ts";
import { TelemetryError } from "../errors.ts";
import { createLogger, type LogLevel } from "../log.ts";

interface AgentArguments {
  readonly config?: string;
  readonly once?: boolean;
  readonly cycles?: number;
  readonly nodeName?: string;
  /** Each may be several with commas between, because an environment variable is one text. */
  readonly libvirtSocket?: readonly string[];
  readonly podsDir?: string;
  readonly secretsDir?: string;
  readonly logLevel: LogLevel;
}

/** The node role. Resolves to the exit code. */
export async function agent(given: AgentArguments, signal: AbortSignal): Promise<number> {
  if (given.once && given.cycles !== undefined) {
    throw new TelemetryError("E_USAGE", "--once and --cycles exclude each other: give one of them");
  }
  return runAgent({
    configFile: given.config,
    cycles: given.once ? 1 : (given.cycles ?? Number.POSITIVE_INFINITY),
    nodeName: given.nodeName,
    podsDir: given.podsDir,
    libvirtSockets: given.libvirtSocket?.flatMap((sockets) => sockets.split(",")),
    secretsDir: given.secretsDir,
    log: await createLogger(given.logLevel),
    signal,
  });
}
