import { messageOfAnswer, retryAfterMs } from "./answer.ts";
import type { KubeClient } from "./api.ts";
import { KubeError } from "./kube-error.ts";

/** What became of an apply. */
export type ApplyOutcome =
  | { readonly kind: "applied"; readonly created: boolean; readonly object: unknown }
  /** Another manager owns a field that was sent; only without `force`. */
  | { readonly kind: "conflict"; readonly message: string }
  /** Not now: there was no answer, or the server is busy. */
  | { readonly kind: "retry"; readonly message: string; readonly afterMs?: number }
  /** The server does not take it as it is: no rights, not valid, the object of a status is not there. */
  | { readonly kind: "refused"; readonly status: number; readonly message: string };

export interface ApplyRequest {
  /** Of the object or its status. */
  readonly path: string;
  /**
   * Every field that this manager wants to own, with apiVersion, kind and metadata.name; those it owned and does not send
   * are removed. So `ownerReferences` have to be in it every time.
   */
  readonly object: object;
  readonly fieldManager: string;
  /** Takes fields from other managers instead of reporting a conflict. */
  readonly force: boolean;
  readonly signal?: AbortSignal;
  /** Wall clock, for a Retry-After that is a date. */
  readonly nowMs: number;
}

const BUSY = [429, 500, 502, 503, 504];

/** Server-side apply. Never rejects for what a server or a network does. */
export async function apply(client: KubeClient, request: ApplyRequest): Promise<ApplyOutcome> {
  const { path, object, fieldManager, force, signal, nowMs } = request;
  try {
    const answer = await client.request({
      method: "PATCH",
      path,
      query: { fieldManager, force },
      body: object,
      // JSON is YAML, and older servers know apply under no other name.
      contentType: "application/apply-patch+yaml",
      ...(signal !== undefined && { signal }),
    });
    const { status } = answer;
    const message = messageOfAnswer(answer);
    if (status === 200 || status === 201) return { kind: "applied", created: status === 201, object: answer.body };
    if (status === 409) return { kind: "conflict", message };
    if (!BUSY.includes(status)) return { kind: "refused", status, message };
    const afterMs = retryAfterMs(answer, nowMs);
    return { kind: "retry", message: `${status} ${message}`.trim(), ...(afterMs !== undefined && { afterMs }) };
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    return { kind: "retry", message: error.message };
  }
}
