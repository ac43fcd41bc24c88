/** What came of one request: an answer of the server, or none. */
export type Answer =
  | { readonly status: number; readonly retryAfter?: string | undefined; readonly body: string }
  | { readonly failure: string };

/** Why a target does not take lines; the words of the condition reasons of NodeTelemetry. */
export type FailureReason = "TargetUnreachable" | "TargetUnauthorized" | "TargetNotFound" | "TargetRejecting";

export type Outcome =
  | { readonly kind: "delivered" }
  /** The server stored what it could of the batch and refused some lines for good. */
  | { readonly kind: "partial"; readonly detail: string }
  /** Nothing is wrong with the lines: the same request may pass later. */
  | { readonly kind: "retry"; readonly reason: FailureReason; readonly detail: string; readonly afterMs?: number }
  /** Someone has to act before a request can pass; the lines are kept. */
  | { readonly kind: "misconfigured"; readonly reason: FailureReason; readonly detail: string }
  | { readonly kind: "tooLarge"; readonly detail: string }
  /** The server stored nothing of the batch, because of one line in it at least. */
  | { readonly kind: "refused"; readonly detail: string };

const MAX_RETRY_AFTER_MS = 600_000;
const MAX_DETAIL = 200;

/** Error texts of InfluxDB 1, 2 and 3 that mean that the other lines were stored. */
const STORED_IN_PART = /partial write|beyond retention|field type conflict|points? outside retention/i;
/** InfluxDB 1 answers 500 for a retention policy that does not exist. */
const NO_RETENTION_POLICY = /retention policy not found/i;

type Rule = readonly [applies: (status: number, body: string) => boolean, make: (detail: string) => Outcome];

const misconfigured =
  (reason: FailureReason) =>
  (detail: string): Outcome => ({ kind: "misconfigured", reason, detail });
const among =
  (...statuses: number[]) =>
  (status: number): boolean =>
    statuses.includes(status);

/** The first rule that applies decides. */
const RULES: readonly Rule[] = [
  [(status) => status >= 200 && status < 300, () => ({ kind: "delivered" })],
  [among(401, 403), misconfigured("TargetUnauthorized")],
  [(status) => among(404, 405, 415)(status) || (status >= 300 && status < 400), misconfigured("TargetNotFound")],
  [(status, body) => status === 500 && NO_RETENTION_POLICY.test(body), misconfigured("TargetNotFound")],
  [among(413), (detail) => ({ kind: "tooLarge", detail })],
  [(status, body) => among(400, 422)(status) && STORED_IN_PART.test(body), (detail) => ({ kind: "partial", detail })],
  [among(400, 422), (detail) => ({ kind: "refused", detail })],
  [
    (status) => among(408, 425, 429)(status) || status >= 500,
    (detail) => ({ kind: "retry", reason: "TargetUnreachable", detail }),
  ],
  // An answer that no InfluxDB gives, perhaps of a proxy on the way: nothing says that the lines are at fault.
  [() => true, misconfigured("TargetRejecting")],
];

/** What an answer means for the lines that were sent. `nowMs` is the wall clock, for dates in Retry-After. */
export function classify(answer: Answer, nowMs: number): Outcome {
  if ("failure" in answer) return { kind: "retry", reason: "TargetUnreachable", detail: cut(answer.failure) };
  const detail = cut(`HTTP ${answer.status}${answer.body === "" ? "" : `: ${answer.body}`}`);
  const [, make] = RULES.find(([applies]) => applies(answer.status, answer.body)) ?? [];
  const outcome = make?.(detail) ?? { kind: "misconfigured", reason: "TargetRejecting", detail };
  const afterMs = parseRetryAfter(answer.retryAfter, nowMs);
  return outcome.kind === "retry" && afterMs !== undefined ? { ...outcome, afterMs } : outcome;
}

/** Milliseconds of a Retry-After header, in seconds or as a date; ten minutes at most. */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\s*\d+\s*$/.test(value) ? Number(value) * 1000 : Date.parse(value) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}

function cut(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > MAX_DETAIL ? `${line.slice(0, MAX_DETAIL)}...` : line;
}
