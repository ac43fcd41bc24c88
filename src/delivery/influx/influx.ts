import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { EffectiveTarget } from "../../config/resolve.ts";
import { lineOffsets } from "../../spool/batch-parts.ts";
import { joinFrames } from "../../spool/gzip-member.ts";
import { openHttp, type Answer, type HttpClient } from "../http/http-client.ts";
import type { Outcome } from "../outcome.ts";
import type { LineRequest, Protocol, Transport, TransportContext } from "../protocol.ts";
import { LINE_KINDS } from "./line-kinds.ts";
import { secretsOf, writeHeaders, writePath } from "./request.ts";
import { classify } from "./rules.ts";
import { ANSWER_HEADERS } from "./server-kind.ts";

const expand = promisify(gunzip);
const UNSUPPORTED_MEDIA_TYPE = 415;

/** InfluxDB 1, 2 and 3: a request is line protocol as one gzip member, or plain for a target that takes no gzip. */
export const INFLUX: Protocol = {
  // A header such as X-Scope-OrgID names the tenant that stores the lines. A value from a Secret may be a token, and change.
  destination: ({ url, protocol, headers }) =>
    JSON.stringify([url, protocol, ...headers.filter(({ value }) => typeof value === "string")]),
  open: (target, context) => {
    const { url, tls, timeoutMs } = target;
    const http = openHttp({
      url,
      tls,
      timeoutMs,
      proxies: context.proxies,
      path: writePath(target),
      headers: writeHeaders(target),
      secrets: secretsOf(target),
      answerHeaders: ANSWER_HEADERS,
    });
    return new InfluxTransport(http, target, context);
  },
  body: joinFrames,
  split: lineOffsets,
  kinds: LINE_KINDS,
};

/** Reads the answers of `http` as those of an InfluxDB. A target that rejects a compressed body gets plain ones from then on. */
export class InfluxTransport implements Transport {
  readonly #http: HttpClient;
  readonly #protocol: EffectiveTarget["protocol"];
  readonly #context: Pick<TransportContext, "clock" | "notice">;
  #gzip: boolean;

  constructor(
    http: HttpClient,
    { protocol, gzip }: Pick<EffectiveTarget, "protocol" | "gzip">,
    context: Pick<TransportContext, "clock" | "notice">,
  ) {
    this.#http = http;
    this.#protocol = protocol;
    this.#gzip = gzip;
    this.#context = context;
  }

  async send(request: LineRequest, signal: AbortSignal): Promise<Outcome> {
    let answer = await this.#post(request, signal);
    if (this.#gzip && isUnsupported(answer)) {
      this.#gzip = false;
      answer = await this.#post(request, signal);
      // If the target rejects a plain body too, its compression is not the cause.
      if (isUnsupported(answer)) this.#gzip = true;
      else this.#context.notice?.("the target rejects compressed bodies, plain ones are sent");
    }
    return classify(answer, { lines: request.lines, protocol: this.#protocol, nowMs: this.#context.clock.now() });
  }

  close(): void {
    this.#http.close();
  }

  async #post({ body }: LineRequest, signal: AbortSignal): Promise<Answer> {
    return this.#gzip ? this.#http.post(body, signal, "gzip") : this.#http.post(await expand(body), signal);
  }
}

function isUnsupported(answer: Answer): boolean {
  return "status" in answer && answer.status === UNSUPPORTED_MEDIA_TYPE;
}
