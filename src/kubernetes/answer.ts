import { parseRetryAfter } from "../lib/retry-after.ts";
import { KubeError } from "./kube-error.ts";

/** A whole answer of the API server, whatever its status. */
export interface KubeAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed JSON, or the text of an answer that is none. */
  readonly body: unknown;
}

/** The fields of a metav1.Status that are of use; any may be missing in what is not one. */
interface StatusObject {
  readonly message?: unknown;
  readonly code?: unknown;
  readonly details?: {
    readonly retryAfterSeconds?: unknown;
    readonly causes?: readonly { readonly reason?: unknown }[];
  };
}

const MAX_MESSAGE = 500;

/** What the API server says of a refusal, cut to a length that a log line can hold. */
export function messageOfAnswer({ body }: Pick<KubeAnswer, "body">): string {
  const message = typeof body === "string" ? body : asStatus(body).message;
  return typeof message === "string" ? message.trim().slice(0, MAX_MESSAGE) : "";
}

/** Milliseconds after which the API server wants to be asked again; undefined when it does not say. */
export function retryAfterMs({ headers, body }: Omit<KubeAnswer, "status">, nowMs: number): number | undefined {
  const seconds = asStatus(body).details?.retryAfterSeconds;
  const text = headers["retry-after"] ?? (typeof seconds === "number" ? String(seconds) : undefined);
  return parseRetryAfter(text, nowMs);
}

/** Whether the server has not reached, or never will, the version that a list must not be older than. */
export function isVersionTooLarge({ body }: Pick<KubeAnswer, "body">): boolean {
  return asStatus(body).details?.causes?.some(({ reason }) => reason === "ResourceVersionTooLarge") === true;
}

/** The refusal in an ERROR event of a watch, as if it had been the answer. */
export function answerFromStatus(status: unknown): KubeAnswer {
  const { code } = asStatus(status);
  return { status: typeof code === "number" ? code : 500, headers: {}, body: status };
}

/** An answer that is of no use, as an error. */
export function rejection(answer: KubeAnswer, what: string): KubeError {
  const code = answer.status === 401 || answer.status === 403 ? "E_KUBE_DENIED" : "E_KUBE_REFUSED";
  const { status } = answer;
  return new KubeError(code, `${what}: ${status} ${messageOfAnswer(answer)}`.trim(), { status });
}

function asStatus(body: unknown): StatusObject {
  return typeof body === "object" && body !== null ? body : {};
}
