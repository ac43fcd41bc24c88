import type { EffectiveTarget } from "../../config/resolve.ts";
import type { Clock } from "../../lib/clock.ts";
import { joinFrames } from "../../spool/frame-payload.ts";
import { openHttp, type HttpClient } from "../http/http-client.ts";
import type { Protocol, Transport } from "../protocol.ts";
import { secretsOf, writeHeaders, writePath } from "./request.ts";
import { classify } from "./rules.ts";

const NEWLINE = 10;

/** InfluxDB 1, 2 and 3: a request is line protocol as one gzip member. */
export const INFLUX: Protocol = {
  destination: ({ url, protocol }) => JSON.stringify([url, protocol]),
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
      errorHeader: "x-influxdb-error",
    });
    return influxTransport(http, target, clock);
  },
  body: joinFrames,
  split: lineOffsets,
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

/** Returns where each line begins, and where the last one ends. */
function lineOffsets(lines: Uint8Array): readonly number[] {
  const offsets = [0];
  for (let end = 0; end < lines.length; offsets.push(end)) {
    const newline = lines.indexOf(NEWLINE, end);
    end = newline < 0 ? lines.length : newline + 1;
  }
  return offsets;
}
