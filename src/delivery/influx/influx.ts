import type { EffectiveTarget } from "../../config/resolve.ts";
import type { Clock } from "../../lib/clock.ts";
import { lineOffsets } from "../../spool/batch-parts.ts";
import { joinFrames } from "../../spool/gzip-member.ts";
import { openHttp, type HttpClient } from "../http/http-client.ts";
import type { Protocol, Transport } from "../protocol.ts";
import { LINE_KINDS } from "./line-kinds.ts";
import { secretsOf, writeHeaders, writePath } from "./request.ts";
import { classify } from "./rules.ts";
import { ANSWER_HEADERS } from "./server-kind.ts";

/** InfluxDB 1, 2 and 3: a request is line protocol as one gzip member. */
export const INFLUX: Protocol = {
  // A header such as X-Scope-OrgID names the tenant that stores the lines. A value from a Secret may be a token, and change.
  destination: ({ url, protocol, headers }) =>
    JSON.stringify([url, protocol, ...headers.filter(({ value }) => typeof value === "string")]),
  open: (target, { clock, proxies }) => {
    const { url, tls, timeoutMs } = target;
    const http = openHttp({
      url,
      tls,
      timeoutMs,
      proxies,
      path: writePath(target),
      headers: writeHeaders(target),
      secrets: secretsOf(target),
      answerHeaders: ANSWER_HEADERS,
    });
    return influxTransport(http, target, clock);
  },
  body: joinFrames,
  split: lineOffsets,
  kinds: LINE_KINDS,
};

/** Returns a transport that reads the answers of `http` as those of an InfluxDB. */
export function influxTransport(
  http: HttpClient,
  { protocol }: Pick<EffectiveTarget, "protocol">,
  clock: Pick<Clock, "now">,
): Transport {
  return {
    send: async ({ body, lines }, signal) =>
      classify(await http.post(body, signal), { lines, protocol, nowMs: clock.now() }),
    close: () => {
      http.close();
    },
  };
}
