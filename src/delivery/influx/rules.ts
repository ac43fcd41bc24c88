import type { EffectiveTarget } from "../../config/resolve.ts";
import { foreignText } from "../../lib/display-text.ts";
import { parseRetryAfter } from "../../lib/retry-after.ts";
import type { Answer } from "../http/http-client.ts";
import type { FailureReason, NotDelivered, Outcome } from "../outcome.ts";
import { countRejected, namedLines, readServerMessage, type ServerMessage } from "./answer-text.ts";
import { fittingProtocol } from "./server-kind.ts";

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
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly isCut?: boolean;
  readonly message: ServerMessage;
  readonly detail: string;
}

/** Longest text of a server in a detail. The remedy comes before it, because a detail may be cut further on. */
const MAX_TEXT = 200;
/** Longest description of a failure without an answer. It has a text of at most 140 characters and a remedy of ours. */
const MAX_FAILURE = 300;

/** The rejected lines are too old for the database, now and later. The other lines are stored. */
const TOO_OLD = /beyond retention|points? outside retention/i;
/** Error texts of InfluxDB 1, 2 and 3 after which the other lines, if any, are stored. */
const STORED_IN_PART = /partial write|field type conflict/i;
/**
 * Texts about lines. InfluxDB 1 and 2: unable to parse. InfluxDB 3: parsing for line protocol failed, line protocol parse failed,
 * parsing failed for write_lp endpoint. QuestDB and InfluxDB Cloud: failed to parse line protocol. VictoriaMetrics: incorrect
 * influx line. Telegraf: metric parse error.
 */
const ABOUT_LINES =
  /unable to parse|line protocol (?:parse )?failed|parsing failed|failed to parse line protocol|incorrect influx line|metric parse error/i;
/** Texts about the server. The APIs of InfluxDB 3 that imitate versions 1 and 2 send them with 400. */
const ABOUT_SERVER =
  /error from wal|wal is shut|not accepting writes|catalog|no space left|disk (?:full|quota)|time(?:d )?-?out|cache-max-memory-size|shut(?:ting)? ?down|engine is closed|object store|too many open files|overloaded/i;
/** Before 3.9 InfluxDB 3 sends this text with 500. */
const TOO_LARGE =
  /max request size .{0,40}exceeded|\b(?:request|body|payload|entity|batch)\b.{0,30} too (?:large|big)|too big request/i;
/** InfluxDB 1 answers 500 for a retention policy that does not exist. */
const NO_RETENTION_POLICY = /retention policy not found/i;
const BAD_NAME = /\bdb name\b|database name error|invalid (?:database|bucket|namespace) name/i;
/** InfluxDB 3 answers 400 to a token with a blank. */
const MALFORMED_TOKEN = /authorization header was malformed/i;

type Rule = readonly [applies: (answer: Case) => boolean, make: (answer: Case) => Outcome];

const among =
  (...statuses: number[]) =>
  ({ status }: Case): boolean =>
    statuses.includes(status);
const says =
  (words: RegExp) =>
  ({ message }: Case): boolean =>
    words.test(message.head);
const both =
  (...conditions: readonly Rule[0][]) =>
  (answer: Case): boolean =>
    conditions.every((applies) => applies(answer));
const rejects = among(400, 422);
const misconfigured =
  (reason: FailureReason, remedy: string) =>
  ({ detail }: Case): Outcome => ({ kind: "misconfigured", reason, detail: `${remedy}: ${detail}` });

/** The first rule that applies decides. In doubt the lines are sent again: the same line twice is one point. */
const RULES: readonly Rule[] = [
  [isStored, () => ({ kind: "delivered" })],
  // A login page, a captive portal or an ingress on the way.
  [
    (answer) => isHtml(answer.body) && (isSuccess(answer) || rejects(answer)),
    misconfigured("TargetNotFound", "check the target's url: a web page answers, not an InfluxDB"),
  ],
  [isSuccess, misconfigured("TargetNotFound", "check the target's url: no InfluxDB answers a write like this")],
  [
    (answer) => among(401, 403)(answer) || both(among(400), says(MALFORMED_TOKEN))(answer),
    misconfigured("TargetUnauthorized", "check the target's credentials and their right to write"),
  ],
  [({ status }) => status >= 300 && status < 400, redirected],
  [hasOtherApi, otherApi],
  [
    among(404, 405),
    misconfigured("TargetNotFound", "check the target's url, version, database, bucket and organization"),
  ],
  [
    among(415),
    misconfigured(
      "TargetRejecting",
      "the target takes no line protocol, compressed or not: check its url and what is before it",
    ),
  ],
  [both(among(400, 404, 500), says(NO_RETENTION_POLICY)), misconfigured("TargetNotFound", "check v1.retentionPolicy")],
  [both(rejects, says(BAD_NAME)), misconfigured("TargetNotFound", "check the name of the target's database or bucket")],
  [among(407), misconfigured("TargetUnreachable", "check HTTP_PROXY in the environment: the proxy wants credentials")],
  [
    (answer) => among(413)(answer) || both(among(400, 422, 500), says(TOO_LARGE))(answer),
    ({ detail }) => ({ kind: "tooLarge", detail }),
  ],
  [both(rejects, isStoredInPart), partial],
  [both(rejects, ({ message }) => message.limit !== undefined), limited],
  [both(rejects, rejectsEveryLine), ({ detail }) => ({ kind: "rejected", detail, everyLine: true })],
  [both(rejects, isPartialWrite), rejected],
  [both(rejects, isAboutServer), retry],
  [both(rejects, isAboutLines), rejected],
  // No known server says this about lines. A setting, the server or, of an unknown server, a line may be the cause.
  [rejects, unknown],
  // InfluxDB 2 gives this answer to a body that it cannot unzip. With Retry-After it is an overload, or another server.
  [
    (answer) => answer.status === 500 && answer.retryAfter === undefined && !isAboutServer(answer),
    (answer) => ({ ...retry(answer), maybePoison: true }),
  ],
  [(answer) => among(408, 425, 429)(answer) || answer.status >= 500, retry],
];

/** Returns what an answer means for the lines of the request. */
export function classify(answer: Answer, context: AnswerContext): Outcome {
  if ("failure" in answer) {
    const kind = answer.local === true ? "misconfigured" : "retry";
    const detail = foreignText(answer.failure, MAX_FAILURE);
    // InfluxDB 3.6 to 3.9 ends so when it cuts a bad line for its answer in the middle of a character.
    return {
      kind,
      reason: "TargetUnreachable",
      detail,
      ...(answer.closed === true && { maybePoison: true, isClosed: true }),
    };
  }
  const { status, headers = {} } = answer;
  const message = readServerMessage(answer.body || (headers["x-influxdb-error"] ?? ""), answer.isCut);
  const example = message.limit ?? message.named?.reason ?? message.listed[0]?.reason ?? "";
  const more = message.text.includes(example) ? "" : `: ${example}`;
  const detail = foreignText(`HTTP ${status} ${message.text}${more}`, MAX_TEXT);
  const known = { ...context, ...answer, headers, message, detail };
  const [, make] = RULES.find(([applies]) => applies(known)) ?? [];
  // No InfluxDB gives this answer, but a proxy may. The lines may be good.
  return (make ?? misconfigured("TargetRejecting", "check the target's url: this is not an answer of InfluxDB"))(known);
}

function isSuccess({ status }: Case): boolean {
  return status >= 200 && status < 300;
}

/** All servers answer 204. A 200 of an old InfluxDB 1 is empty and has its header; that of another program proves nothing. */
function isStored({ status, body, isCut, headers }: Case): boolean {
  if (status === 204) return true;
  return status === 200 && body === "" && isCut !== true && headers["x-influxdb-version"] !== undefined;
}

function isHtml(body: string): boolean {
  return /^\s*<(?:!doctype|html|head|\?xml)/i.test(body);
}

function redirected(answer: Case): Outcome {
  const { location = "" } = answer.headers;
  // Credentials may be in the user part, or in the query. The body may have the same address whole, so it is not shown.
  const shown = location.replace(/[?#].*$/s, "").replace(/\/\/[^/]*@/, "//");
  const to = foreignText(shown === "" ? "an unknown address" : shown, MAX_TEXT);
  const remedy = `check the target's url: the answer is a redirect to ${to}`;
  return misconfigured("TargetNotFound", remedy)({ ...answer, detail: `HTTP ${answer.status}` });
}

function hasOtherApi(answer: Case): boolean {
  return fittingProtocol(answer) !== undefined;
}

function otherApi(answer: Case): Outcome {
  return misconfigured("TargetNotFound", fittingProtocol(answer) ?? "")(answer);
}

/** A "partial write" may have stored nothing. Then the server counts or lists every line as rejected. */
function isStoredInPart(answer: Case): boolean {
  const { lines, message } = answer;
  if (TOO_OLD.test(message.head)) return true;
  return isPartialWrite(answer) && !message.isIncomplete && countRejected(message) < lines;
}

function rejectsEveryLine(answer: Case): boolean {
  return isPartialWrite(answer) && !answer.message.isIncomplete && countRejected(answer.message) >= answer.lines;
}

/** A rejected line may be quoted without quotation marks, and its text may be one of those about the server. */
function isAboutServer({ message }: Case): boolean {
  return ABOUT_SERVER.test(message.head) && !ABOUT_LINES.test(message.head);
}

function isAboutLines({ message }: Case): boolean {
  return ABOUT_LINES.test(message.head) || namedLines(message).length > 0;
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
    ...(message.limit !== undefined && { isAtLimit: true }),
  };
}

function rejected({ detail, message }: Case): Outcome {
  return { kind: "rejected", detail, named: namedLines(message) };
}

/** A limit of the server excludes these lines. Others, of known series, may still be stored. */
function limited({ detail }: Case): NotDelivered {
  const remedy = "the server is at a limit: raise it, or delete there what is no longer needed";
  return { kind: "misconfigured", reason: "TargetRejecting", detail: `${remedy}: ${detail}`, maybePoison: true };
}

function unknown(answer: Case): NotDelivered {
  const remedy = "check the target's settings, and the server's log";
  return { ...retry(answer), reason: "TargetRejecting", detail: `${remedy}: ${answer.detail}`, maybePoison: true };
}

function retry({ detail, retryAfter, nowMs }: Case): NotDelivered {
  const afterMs = parseRetryAfter(retryAfter, nowMs);
  return { kind: "retry", reason: "TargetUnreachable", detail, ...(afterMs !== undefined && { afterMs }) };
}
