import { runAgent } from "../agent.ts";
import { TelemetryError } from "../errors.ts";
import { createLogger, type LogLevel } from "../log.ts";

interface AgentArguments {
  readonly config?: string;
  readonly once?: boolean;
  readonly cycles?: number;
  readonly nodeName?: string;
  readonly libvirtSocket?: readonly string[] | string;
  readonly secretsDir?: string;
  readonly logLevel: LogLevel;
}

/** The node role. Resolves to the exit code. */
export async function agent(given: AgentArguments, signal: AbortSignal): Promise<number> {
  if (given.config === undefined) {
    throw new TelemetryError(
      "E_USAGE",
      "--config FILE is missing. This version runs standalone only; it does not yet read TelemetryConfig objects from a cluster",
    );
  }
  if (given.once && given.cycles !== undefined) {
    throw new TelemetryError("E_USAGE", "--once and --cycles exclude each other: give one of them");
  }
  const sockets = typeof given.libvirtSocket === "string" ? given.libvirtSocket.split(",") : given.libvirtSocket;
  return runAgent({
    configFile: given.config,
    cycles: given.once ? 1 : (given.cycles ?? Number.POSITIVE_INFINITY),
    nodeName: given.nodeName,
    libvirtSockets: sockets,
    secretsDir: given.secretsDir,
    log: await createLogger(given.logLevel),
    signal,
  });
}
