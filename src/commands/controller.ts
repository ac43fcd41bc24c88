import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { runController } from "../controller.ts";
import { createLogger, type LogLevel, type LogStream } from "../log.ts";
import { DEFAULT_ADDRESS, parseListenAddress } from "../observability/listen-address.ts";

interface ControllerArguments {
  readonly namespace?: string;
  readonly identity?: string;
  readonly listen?: string;
  readonly logLevel: LogLevel;
}

/** The cluster role. Resolves to the exit code. */
export async function controller(given: ControllerArguments, signal: AbortSignal, stdout: LogStream): Promise<number> {
  return runController({
    namespace: given.namespace,
    // In a pod the host name is the pod's name, cut to 63 characters or, in the network of the node, the node's name: by
    // itself it could be that of another controller, and both would lead.
    identity: given.identity ?? `${hostname()}_${randomUUID()}`,
    env: process.env,
    listen: parseListenAddress(given.listen ?? DEFAULT_ADDRESS),
    log: await createLogger(given.logLevel, stdout),
    signal,
  });
}
