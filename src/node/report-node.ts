import { NodeReporter } from "../cluster/node-reporter.ts";
import type { OwnNode } from "../cluster/node-object.ts";
import type { KubeClient } from "../kubernetes/api.ts";
import { isAborted } from "../lib/abort.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import type { NodeObservation } from "../status/node-report.ts";
import type { NodeTelemetryStatus } from "../status/node-telemetry.ts";
import { ReportWriter } from "../status/report-writer.ts";

export interface NodeStatusOptions {
  readonly client: KubeClient;
  readonly node: OwnNode;
  readonly observe: () => NodeObservation;
  readonly clock: Clock;
  readonly random?: () => number;
  /** The report could not be written; it is tried again. */
  readonly failed: (message: string) => void;
}

const BACKOFF = { baseMs: 10_000, capMs: 300_000 };

/** Keeps the NodeTelemetry of this node up to date until the signal aborts. Collection does not depend on it. */
export async function reportNode(options: NodeStatusOptions, signal: AbortSignal): Promise<void> {
  const { client, node, observe, clock, random = Math.random, failed } = options;
  const reporter = new NodeReporter({ client, node, clock, refused: failed });
  let before: NodeTelemetryStatus | undefined;
  for (let failures = 0; !isAborted(signal); failures++) {
    before = await reporter.make(signal);
    if (reporter.made) break;
    await clock.sleep(backoffMs(failures, BACKOFF, random), signal);
  }
  const write = reporter.write.bind(reporter);
  await new ReportWriter({ observe, write, before, clock, random }).run(signal);
}
