import type { IncomingMessage, ServerResponse } from "node:http";
import type { FaultKind } from "./fault-deck.ts";

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

const WAIT_S = 1;

/**
 * Returns a faulty answer in the form of InfluxDB 1 or 2, depending on the API of the request; and the earliest time of the next
 * request, in milliseconds since the epoch.
 */
export function faultyAnswer(
  fault: Extract<FaultKind, `${number}${string}`>,
  { url = "" }: Pick<IncomingMessage, "url">,
  lines: number,
): Reply & { readonly notBeforeMs: number } {
  if (fault === "200 page") return { ...PAGE, notBeforeMs: 0 };
  if (fault === "422 limit") return { ...limitReached(url, lines), notBeforeMs: 0 };
  const status = Number(fault.slice(0, 3));
  const [code, message] = MEANINGS[status] ?? ["", ""];
  const body = JSON.stringify(url.startsWith("/api/v2/") ? { code, message } : { error: message });
  if (!fault.includes(" ")) return { status, body, notBeforeMs: 0 };
  const date = new Date(Date.now() + 1_000 * (WAIT_S + 1)).toUTCString();
  return fault.endsWith("date")
    ? { status, body, headers: { "retry-after": date }, notBeforeMs: Date.parse(date) }
    : { status, body, headers: { "retry-after": String(WAIT_S) }, notBeforeMs: Date.now() + 1_000 * WAIT_S };
}

const PAGE: Reply = {
  status: 200,
  headers: { "content-type": "text/html; charset=utf-8" },
  body: "<!-- gateway --><html><body>Please log in.</body></html>",
};

/** InfluxDB 1 and 2 call it a partial write although they stored none of the lines. */
function limitReached(url: string, lines: number): Reply {
  const what = `partial write: max-series-per-database limit exceeded: (1000000) dropped=${lines}`;
  return url.startsWith("/api/v2/")
    ? {
        status: 422,
        body: JSON.stringify({ code: "unprocessable entity", message: `failure writing points to database: ${what}` }),
      }
    : { status: 400, body: JSON.stringify({ error: what }) };
}

const MEANINGS: Readonly<Record<number, readonly [code: string, message: string]>> = {
  401: ["unauthorized", "authorization failed"],
  404: ["not found", 'database not found: "telemetry"'],
  429: ["too many requests", "too many requests"],
  503: ["unavailable", "the service is unavailable"],
};

export function reply(response: ServerResponse, { status, headers, body }: Reply): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(body);
}
