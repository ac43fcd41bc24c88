import { rejection } from "../kubernetes/answer.ts";
import type { KubeClient } from "../kubernetes/api.ts";
import { KubeError } from "../kubernetes/kube-error.ts";
import { resourcePath } from "../kubernetes/kube-object.ts";
import { isAborted } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { TELEMETRY_CONFIGS } from "./kinds.ts";

const RETRY_MS = 1_000;
/** What the API server says of the object itself: asking again changes nothing. */
const INVALID = [400, 413, 422];

export interface CreateOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  /** Called whenever it was in vain and is tried again. */
  readonly waiting: (why: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Makes a TelemetryConfig if there is none of its name; one that is there is left as it is. Waits for the kind and for the
 * right to be known to the API server: both can come a moment after what asks for this.
 * @throws {KubeError} when the object is refused, or with the last reason when the signal aborts
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

/** What became of one attempt. An error that is returned may pass, one that is thrown will not. */
async function attempt(client: KubeClient, object: object): Promise<"created" | "exists" | KubeError> {
  const request = { method: "POST", path: resourcePath(TELEMETRY_CONFIGS), body: object } as const;
  const answer = await client.request(request).catch((error: unknown) => {
    if (error instanceof KubeError) return error;
    throw error;
  });
  if (answer instanceof KubeError) return answer;
  if (answer.status === 201) return "created";
  if (answer.status === 409) return "exists";
  const error = rejection(answer, "the TelemetryConfig is not made");
  if (INVALID.includes(answer.status)) throw error;
  return error;
}
