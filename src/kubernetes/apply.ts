import { messageOfAnswer, retryAfterMs } from "./answer.ts";
import type { KubeClient } from "./api.ts";
import { KubeError } from "./kube-error.ts";

/** The result of an apply. */
export type ApplyOutcome =
  | { readonly kind: "applied"; readonly object: unknown }
  /** No answer, or the server is overloaded. */
  | { readonly kind: "retry"; readonly message: string; readonly afterMs?: number }
  /** The server rejects the request: no rights, an invalid object, or no object for the status. */
  | { readonly kind: "rejected"; readonly status: number; readonly message: string };

export interface ApplyRequest {
  /** Path of the object or of its status. */
  readonly path: string;
  /**
   * The fields that the manager owns, with apiVersion, kind and metadata.name. The server removes fields that the manager
   * owned before and does not send now, so every apply of an object must have its `ownerReferences`.
   */
  readonly object: object;
  readonly fieldManager: string;
  readonly signal?: AbortSignal;
  /** Wall-clock time, for a Retry-After that is a date. */
  readonly nowMs: number;
}

const BUSY = [429, 500, 502, 503, 504];

/**
 * Applies an object on the server (server-side apply). It takes fields from other managers. Never rejects because of the
 * server or the network.
 */
export async function apply(client: KubeClient, request: ApplyRequest): Promise<ApplyOutcome> {
  const { path, object, fieldManager, signal, nowMs } = request;
  try {
    const answer = await client.request({
      method: "PATCH",
      path,
      query: { fieldManager, force: true },
      body: object,
      // JSON is valid YAML, and older servers know only this content type for apply.
      contentType: "application/apply-patch+yaml",
      ...(signal !== undefined && { signal }),
    });
    const { status } = answer;
    const message = messageOfAnswer(answer);
    if (status === 200 || status === 201) return { kind: "applied", object: answer.body };
    if (!BUSY.includes(status)) return { kind: "rejected", status, message };
    const afterMs = retryAfterMs(answer, nowMs);
    return { kind: "retry", message: `${status} ${message}`.trim(), ...(afterMs !== undefined && { afterMs }) };
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    return { kind: "retry", message: error.message };
  }
}
