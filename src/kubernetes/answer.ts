import { foreignText } from "../lib/display-text.ts";
import { parseRetryAfter } from "../lib/retry-after.ts";
import { KubeError } from "./kube-error.ts";

/** A complete answer of the API server, with any status. */
export interface KubeAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed JSON, or the text if the content type is not JSON. */
  readonly body: unknown;
}

/** The fields of a metav1.Status that this file reads. All are optional, because a body may be something else. */
interface StatusObject {
  readonly message?: unknown;
  readonly code?: unknown;
  readonly details?: {
    readonly retryAfterSeconds?: unknown;
    readonly causes?: readonly { readonly reason?: unknown }[];
  };
}

const MAX_MESSAGE = 500;

/** Returns the message in an answer as one printable line; empty if there is no message. */
export function messageOfAnswer({ body }: Pick<KubeAnswer, "body">): string {
  const message = typeof body === "string" ? body : asStatus(body).message;
  return typeof message === "string" ? foreignText(message, MAX_MESSAGE) : "";
}

/** Returns the delay that the API server requests before a retry, in milliseconds; undefined if it does not request one. */
export function retryAfterMs({ headers, body }: Omit<KubeAnswer, "status">, nowMs: number): number | undefined {
  const seconds = asStatus(body).details?.retryAfterSeconds;
  const text = headers["retry-after"] ?? (typeof seconds === "number" ? String(seconds) : undefined);
  return parseRetryAfter(text, nowMs);
}

/** Returns whether a list failed because the server has not reached the minimum version; it may never reach it. */
export function isVersionTooLarge({ body }: Pick<KubeAnswer, "body">): boolean {
  return asStatus(body).details?.causes?.some(({ reason }) => reason === "ResourceVersionTooLarge") === true;
}

/** Returns the Status in an ERROR event of a watch as an answer. */
export function answerFromStatus(status: unknown): KubeAnswer {
  const { code } = asStatus(status);
  return { status: typeof code === "number" ? code : 500, headers: {}, body: status };
}

/** Returns the error for an answer that the caller cannot use. `what` says what failed. */
export function rejection(answer: KubeAnswer, what: string): KubeError {
  const code = answer.status === 401 || answer.status === 403 ? "E_KUBE_DENIED" : "E_KUBE_REFUSED";
  const { status } = answer;
  return new KubeError(code, `${what}: ${status} ${messageOfAnswer(answer)}`.trim(), { status });
}

function asStatus(body: unknown): StatusObject {
  return typeof body === "object" && body !== null ? body : {};
}
