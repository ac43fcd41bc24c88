import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { runController } from "../controller.ts";
import { createLogger, type LogFormat, type LogLevel, type LogStream } from "../log.ts";
import { parseAllowedHosts } from "../observability/allowed-hosts.ts";
import { DEFAULT_ADDRESS, parseListenAddress } from "../observability/listen-address.ts";
import { loggingRejections } from "./unhandled-rejections.ts";

interface ControllerArguments {
  readonly namespace?: string;
  readonly identity?: string;
  readonly listen?: string;
  readonly allowedHost?: readonly string[];
  readonly logLevel: LogLevel;
  readonly logFormat?: LogFormat;
}

/** Runs a controller. Resolves to the exit code. */
export async function controller(given: ControllerArguments, signal: AbortSignal, stdout: LogStream): Promise<number> {
  const log = await createLogger({ level: given.logLevel, format: given.logFormat }, stdout);
  const options = {
    namespace: given.namespace,
    // The host name alone may belong to another controller, and then both lead: in a pod it is the pod's name, cut to
    // 63 characters, or the node's name if the pod uses the host network.
    identity: given.identity ?? `${hostname()}_${randomUUID()}`,
    env: process.env,
    listen: parseListenAddress(given.listen ?? DEFAULT_ADDRESS),
    allowedHosts: parseAllowedHosts(given.allowedHost ?? []),
    log,
    signal,
  };
  return loggingRejections(log, () => runController(options));
}
