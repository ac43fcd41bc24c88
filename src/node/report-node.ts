import { NodeReporter } from "../cluster/node-reporter.ts";
import type { OwnNode } from "../cluster/node-object.ts";
import type { TelemetryError } from "../errors.ts";
import type { KubeClient } from "../kubernetes/api.ts";
import type { Clock } from "../lib/clock.ts";
import type { NodeObservation } from "../status/node-report.ts";
import { ReportWriter } from "../status/report-writer.ts";

export interface NodeStatusOptions {
  readonly client: KubeClient;
  readonly node: OwnNode;
  readonly nodeName: string;
  readonly observe: () => NodeObservation;
  readonly clock: Clock;
  readonly random?: () => number;
  /** The report could not be written; it is tried again. */
  readonly failed: (message: string) => void;
}

const RETRY_MS = 10_000;

/** Keeps the NodeTelemetry of this node up to date until the signal aborts. Collection does not depend on it. */
export async function reportNode(options: NodeStatusOptions, signal: AbortSignal): Promise<void> {
  const { client, nodeName: name, observe, clock, random = Math.random, failed } = options;
  const uid = await uidOf(options, signal);
  if (uid === undefined) return;
  const reporter = new NodeReporter({ client, node: { name, uid }, clock, refused: failed });
  const before = await reporter.make(signal);
  await new ReportWriter({ observe, write: (status, stop) => reporter.write(status, stop), before, clock, random }).run(
    signal,
  );
}

/** The UID of the Node, which owns the report; asked for until it is there. Undefined when the signal aborts. */
async function uidOf({ node, clock, failed }: NodeStatusOptions, signal: AbortSignal): Promise<string | undefined> {
  const ended = (): boolean => signal.aborted;
  while (!ended()) {
    try {
      return (await node.get()).uid;
    } catch (error) {
      failed((error as TelemetryError).message);
    }
    await clock.sleep(RETRY_MS, signal);
  }
  return undefined;
}
