import { rejection } from "../kubernetes/answer.ts";
import type { KubeClient } from "../kubernetes/api.ts";
import { KubeError } from "../kubernetes/kube-error.ts";
import { resourcePath } from "../kubernetes/kube-object.ts";
import { isAborted } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { TELEMETRY_CONFIGS } from "./kinds.ts";

const RETRY_MS = 1_000;
/** Statuses that reject the object itself: a retry cannot succeed. */
const INVALID = [400, 413, 422];

export interface CreateOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  /** Called with the reason before each retry. */
  readonly waiting: (why: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Creates a TelemetryConfig unless one of its name exists, which is not changed. Retries while the API server does not know
 * the kind or the caller's rights: both may be installed a moment later.
 * @throws {KubeError} if the object is rejected, or with the last reason when the signal aborts
 */
export async function createConfig(object: object, options: CreateOptions): Promise<"created" | "exists"> {
  const { client, clock, waiting, signal } = options;
  for (;;) {
    const result = await attempt(client, object);
    if (!(result instanceof KubeError)) return result;
    if (isAborted(signal)) throw result;
    waiting(result.message);
    await clock.sleep(RETRY_MS, signal);
  }
}

/** Returns the result of one attempt, or an error that a retry may solve. Throws an error that it cannot solve. */
async function attempt(client: KubeClient, object: object): Promise<"created" | "exists" | KubeError> {
  const request = { method: "POST", path: resourcePath(TELEMETRY_CONFIGS), body: object } as const;
  const answer = await client.request(request).catch((error: unknown) => {
    if (error instanceof KubeError) return error;
    throw error;
  });
  if (answer instanceof KubeError) return answer;
  if (answer.status === 201) return "created";
  if (answer.status === 409) return "exists";
  const error = rejection(answer, "TelemetryConfig not created");
  if (INVALID.includes(answer.status)) throw error;
  return error;
}
