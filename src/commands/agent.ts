import { runAgent } from "../agent.ts";
import { TelemetryError } from "../errors.ts";
import { commaList } from "../lib/comma-list.ts";
import { createLogger, type LogFormat, type LogLevel } from "../log.ts";
import { parseAllowedHosts } from "../observability/allowed-hosts.ts";
import { DEFAULT_ADDRESS, parseListenAddress } from "../observability/listen-address.ts";
import { parseLauncherLimits } from "./launcher-limits.ts";
import type { StandardStreams } from "./standard-streams.ts";
import { loggingRejections } from "./unhandled-rejections.ts";

interface AgentArguments {
  readonly config?: string;
  readonly once?: boolean;
  readonly cycles?: number;
  readonly print?: boolean;
  readonly nodeName?: string;
  /** Each a `commaList`. */
  readonly libvirtSocket?: readonly string[];
  readonly podsDir?: string;
  readonly launcherLimit?: readonly string[];
  readonly spoolDir?: string;
  readonly secretsDir?: string;
  readonly listen?: string;
  readonly allowedHost?: readonly string[];
  readonly vmMetrics?: boolean;
  readonly logLevel: LogLevel;
  readonly logFormat?: LogFormat;
}

/** Runs the agent of a node. Resolves to the exit code. */
export async function agent(
  given: AgentArguments,
  signal: AbortSignal,
  { stdout, stderr }: Pick<StandardStreams, "stdout" | "stderr">,
): Promise<number> {
  // An empty option overrides the variable, as of a pod.
  const spoolDir = given.spoolDir === "" ? undefined : given.spoolDir;
  checkUsage({ ...given, spoolDir });
  const cycles = given.once ? 1 : (given.cycles ?? Number.POSITIVE_INFINITY);
  // Standard output has the lines then, and nothing else.
  const log = await createLogger({ level: given.logLevel, format: given.logFormat }, given.print ? stderr : stdout);
  const options = {
    configFile: given.config,
    print: given.print ? stdout : undefined,
    cycles,
    nodeName: given.nodeName,
    podsDir: given.podsDir,
    libvirtSockets: given.libvirtSocket && commaList(given.libvirtSocket),
    launcherBudget: parseLauncherLimits(given.launcherLimit ?? []),
    spoolDir,
    secretsDir: given.secretsDir,
    // Off for a run by hand, because an agent may already listen on the default address.
    listen: parseListenAddress(given.listen ?? (Number.isFinite(cycles) || given.print ? "off" : DEFAULT_ADDRESS)),
    vmMetrics: given.vmMetrics ?? false,
    allowedHosts: parseAllowedHosts(given.allowedHost ?? []),
    log,
    signal,
  };
  return loggingRejections(log, () => runAgent(options));
}

interface Combination extends Pick<AgentArguments, "once" | "cycles" | "print"> {
  readonly spoolDir: string | undefined;
}

/** Throws if the options exclude each other. */
function checkUsage({ once, cycles, print, spoolDir }: Combination): void {
  if (once && cycles !== undefined)
    throw new TelemetryError("E_USAGE", "--once and --cycles exclude each other: give one of them");
  if (print && spoolDir !== undefined)
    throw new TelemetryError("E_USAGE", "--print delivers nothing, so it needs no --spool-dir: leave one of them out");
}
