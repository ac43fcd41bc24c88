import { parseRetryAfter } from "../lib/retry-after.ts";
import { countRejected, namedLines, readServerMessage, type ServerMessage } from "./influx/answer-text.ts";
import type { NamedLine } from "./rejection.ts";
import type { TargetSettings } from "./target.ts";

/** What came of one request: an answer of the server, or none. */
export type Answer =
  | { readonly status: number; readonly retryAfter?: string | undefined; readonly body: string }
  /** `local`: the fault is in this side's settings, and nothing was sent. */
  | { readonly failure: string; readonly local?: boolean };

/** Why a target does not take lines; the words of the condition reasons of NodeTelemetry. */
export type FailureReason = "TargetUnreachable" | "TargetUnauthorized" | "TargetNotFound" | "TargetRejecting";

export type Outcome =
  | { readonly kind: "delivered" }
  /** The server stored what it could of the batch and refused some lines for good. */
  | {
      readonly kind: "partial";
      readonly rejectedLines: number;
      readonly detail: string;
      /** Those of them that the server names. */
      readonly named: readonly NamedLine[];
    }
  | NotDelivered
  | { readonly kind: "tooLarge"; readonly detail: string }
  /** The server stored nothing of the batch, or it is not known what, because of one line in it at least. */
  | { readonly kind: "refused"; readonly detail: string };

/** The lines are kept, and sent again later. */
export interface NotDelivered {
  /** Retry: the same request may pass later. Misconfigured: someone has to act before one can pass. */
  readonly kind: "retry" | "misconfigured";
  readonly reason: FailureReason;
  readonly detail: string;
  readonly afterMs?: number;
  /** It looks like a fault of the server, or of a setting, but these very lines may be the cause. */
  readonly maybePoison?: true;
}

export function isNotDelivered(outcome: Outcome): outcome is NotDelivered {
  return outcome.kind === "retry" || outcome.kind === "misconfigured";
}

export interface AnswerContext {
  /** How many the request had. */
  readonly lines: number;
  readonly protocol: TargetSettings["protocol"];
  /** The wall clock, for dates in Retry-After. */
  readonly nowMs: number;
}

interface Case extends AnswerContext {
  readonly status: number;
  readonly retryAfter?: string | undefined;
  readonly body: string;
  readonly message: ServerMessage;
  readonly detail: string;
}

const MAX_DETAIL = 200;

/** Lines are too old for the database, and will be for ever: no other line can be at fault for them. */
const TOO_OLD = /beyond retention|points? outside retention/i;
/** Error texts of InfluxDB 1, 2 and 3 that mean that the other lines were stored, if there are others. */
const STORED_IN_PART = /partial write|field type conflict/i;
/** InfluxDB 1 answers 500 for a retention policy that does not exist. */
const NO_RETENTION_POLICY = /retention policy not found/i;

type Rule = readonly [applies: (answer: Case) => boolean, make: (answer: Case) => Outcome];

const among =
  (...statuses: number[]) =>
  ({ status }: Case): boolean =>
    statuses.includes(status);
const badLines = among(400, 422);
const misconfigured =
  (reason: FailureReason, remedy: string) =>
  ({ detail }: Case): Outcome => ({ kind: "misconfigured", reason, detail: `${detail} (${remedy})` });

/** The first rule that applies decides. A request is repeated rather than given up: the same line twice is one point. */
const RULES: readonly Rule[] = [
  // A login page or an ingress in between: InfluxDB never answers a write with HTML.
  [
    (answer) => isHtml(answer.body) && (isSuccess(answer) || badLines(answer)),
    misconfigured("TargetNotFound", "a web page, not an answer of InfluxDB: check the target's url"),
  ],
  [isSuccess, () => ({ kind: "delivered" })],
  [among(401, 403), misconfigured("TargetUnauthorized", "check the target's credentials and their right to write")],
  [
    (answer) => among(404, 405, 415)(answer) || (answer.status >= 300 && answer.status < 400),
    misconfigured("TargetNotFound", "check the target's url, version, database, bucket and organization"),
  ],
  [
    ({ status, message }) => status === 500 && NO_RETENTION_POLICY.test(message.head),
    misconfigured("TargetNotFound", "check v1.retentionPolicy"),
  ],
  [among(407), misconfigured("TargetUnreachable", "the proxy wants credentials: check HTTP_PROXY in the environment")],
  [among(413), ({ detail }) => ({ kind: "tooLarge", detail })],
  [(answer) => badLines(answer) && storedInPart(answer), partial],
  [(answer) => badLines(answer) && answer.message.limit !== undefined, limited],
  [badLines, ({ detail }) => ({ kind: "refused", detail })],
  // InfluxDB 2 answers so to a body that it cannot unzip. A server that means later says so, or is no InfluxDB.
  [
    ({ status, retryAfter }) => status === 500 && retryAfter === undefined,
    (answer) => ({ ...retry(answer), maybePoison: true }),
  ],
  [(answer) => among(408, 425, 429)(answer) || answer.status >= 500, retry],
];

/** What an answer means for the lines that were sent. */
export function classify(answer: Answer, context: AnswerContext): Outcome {
  if ("failure" in answer) {
    const kind = answer.local === true ? "misconfigured" : "retry";
    return { kind, reason: "TargetUnreachable", detail: cut(answer.failure) };
  }
  const message = readServerMessage(answer.body);
  const example = message.limit ?? message.listed[0]?.reason ?? "";
  const detail = cut(`HTTP ${answer.status} ${message.text}${message.text.includes(example) ? "" : `: ${example}`}`);
  const known = { ...context, ...answer, message, detail };
  const [, make] = RULES.find(([applies]) => applies(known)) ?? [];
  // An answer that no InfluxDB gives, perhaps of a proxy on the way: nothing says that the lines are at fault.
  return (make ?? misconfigured("TargetRejecting", "not an answer of InfluxDB: check the target's url"))(known);
}

function isSuccess({ status }: Case): boolean {
  return status >= 200 && status < 300;
}

function isHtml(body: string): boolean {
  return /^\s*<(?:!doctype|html|head|\?xml)/i.test(body);
}

/** A "partial write" may have stored nothing: then it says of every line that it is refused. */
function storedInPart(answer: Case): boolean {
  const { lines, message } = answer;
  if (TOO_OLD.test(message.head)) return true;
  return isPartialWrite(answer) && !message.isIncomplete && countRejected(message) < lines;
}

function isPartialWrite({ status, message, protocol }: Case): boolean {
  if (STORED_IN_PART.test(message.head)) return true;
  // The native API of InfluxDB 3 is asked to accept partial writes; what it calls them differs between its versions.
  const partialByRequest = protocol.version === "v3" && protocol.api === "Native";
  return partialByRequest && status === 400 && message.listed.length > 0;
}

function partial({ lines, message, detail }: Case): Outcome {
  return { kind: "partial", rejectedLines: Math.min(lines, countRejected(message)), detail, named: namedLines(message) };
}

/** No line is at fault for a limit of the server: lines that are not new to it may still pass. */
function limited({ detail }: Case): NotDelivered {
  const remedy = "a limit of the server: raise it, or delete there what is no longer needed";
  return { kind: "misconfigured", reason: "TargetRejecting", detail: `${detail} (${remedy})`, maybePoison: true };
}

function retry({ detail, retryAfter, nowMs }: Case): NotDelivered {
  const afterMs = parseRetryAfter(retryAfter, nowMs);
  return { kind: "retry", reason: "TargetUnreachable", detail, ...(afterMs !== undefined && { afterMs }) };
}

/** One line of at most 200 characters. */
function cut(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > MAX_DETAIL ? `${line.slice(0, MAX_DETAIL)}...` : line;
}
