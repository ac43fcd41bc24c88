import type { EffectiveTarget } from "../../config/resolve.ts";
import { foreignText } from "../../lib/display-text.ts";
import { parseRetryAfter } from "../../lib/retry-after.ts";
import type { Answer } from "../http/http-client.ts";
import type { FailureReason, NotDelivered, Outcome } from "../outcome.ts";
import { countRejected, namedLines, readServerMessage, type ServerMessage } from "./answer-text.ts";

export interface AnswerContext {
  /** Number of lines in the request. */
  readonly lines: number;
  readonly protocol: EffectiveTarget["protocol"];
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

/** The rejected lines are too old for the database, now and later. The other lines are stored. */
const TOO_OLD = /beyond retention|points? outside retention/i;
/** Error texts of InfluxDB 1, 2 and 3 after which the other lines, if any, are stored. */
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

/** The first rule that applies decides. In doubt the lines are sent again: the same line twice is one point. */
const RULES: readonly Rule[] = [
  // A login page or an ingress on the way: InfluxDB never answers a write with HTML.
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
  [badLines, ({ detail }) => ({ kind: "rejected", detail })],
  // InfluxDB 2 gives this answer to a body that it cannot unzip. With Retry-After it is an overload, or another server.
  [
    ({ status, retryAfter }) => status === 500 && retryAfter === undefined,
    (answer) => ({ ...retry(answer), maybePoison: true }),
  ],
  [(answer) => among(408, 425, 429)(answer) || answer.status >= 500, retry],
];

/** Returns what an answer means for the lines of the request. */
export function classify(answer: Answer, context: AnswerContext): Outcome {
  if ("failure" in answer) {
    const kind = answer.local === true ? "misconfigured" : "retry";
    return { kind, reason: "TargetUnreachable", detail: foreignText(answer.failure, MAX_DETAIL) };
  }
  const message = readServerMessage(answer.body);
  const example = message.limit ?? message.listed[0]?.reason ?? "";
  const more = message.text.includes(example) ? "" : `: ${example}`;
  const detail = foreignText(`HTTP ${answer.status} ${message.text}${more}`, MAX_DETAIL);
  const known = { ...context, ...answer, message, detail };
  const [, make] = RULES.find(([applies]) => applies(known)) ?? [];
  // No InfluxDB gives this answer, but a proxy may. The lines may be good.
  return (make ?? misconfigured("TargetRejecting", "not an answer of InfluxDB: check the target's url"))(known);
}

function isSuccess({ status }: Case): boolean {
  return status >= 200 && status < 300;
}

function isHtml(body: string): boolean {
  return /^\s*<(?:!doctype|html|head|\?xml)/i.test(body);
}

/** A "partial write" may have stored nothing. Then the server counts or lists every line as rejected. */
function storedInPart(answer: Case): boolean {
  const { lines, message } = answer;
  if (TOO_OLD.test(message.head)) return true;
  return isPartialWrite(answer) && !message.isIncomplete && countRejected(message) < lines;
}

function isPartialWrite({ status, message, protocol }: Case): boolean {
  if (STORED_IN_PART.test(message.head)) return true;
  // Requests to the native API of InfluxDB 3 ask for partial writes. Its versions use different texts for them.
  const partialByRequest = protocol.version === "v3" && protocol.api === "Native";
  return partialByRequest && status === 400 && message.listed.length > 0;
}

function partial({ lines, message, detail }: Case): Outcome {
  return {
    kind: "partial",
    rejectedLines: Math.min(lines, countRejected(message)),
    detail,
    named: namedLines(message),
  };
}

/** A limit of the server excludes these lines. Others, of known series, may still be stored. */
function limited({ detail }: Case): NotDelivered {
  const remedy = "a limit of the server: raise it, or delete there what is no longer needed";
  return { kind: "misconfigured", reason: "TargetRejecting", detail: `${detail} (${remedy})`, maybePoison: true };
}

function retry({ detail, retryAfter, nowMs }: Case): NotDelivered {
  const afterMs = parseRetryAfter(retryAfter, nowMs);
  return { kind: "retry", reason: "TargetUnreachable", detail, ...(afterMs !== undefined && { afterMs }) };
}
