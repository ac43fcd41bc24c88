import { Agent as HttpAgent, request as httpRequest, type ClientRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from "node:https";
import { HttpError, InfluxDB, setLogger } from "@influxdata/influxdb-client";
import { formatDuration } from "../lib/duration.ts";
import { networkFault } from "./network-fault.ts";
import type { Answer } from "./outcome.ts";
import { authorization, secretsOf, writePath } from "./requests.ts";
import type { TargetSettings } from "./target.ts";

/** The way to one target: bytes out, an answer back. Never rejects. */
export interface Transport {
  /** `body` is gzipped line protocol, one member or several. */
  send(body: Uint8Array, signal: AbortSignal): Promise<Answer>;
  /** Closes the connections; a request in flight fails. */
  close(): void;
}

// The client logs on its own to the console; what there is to say is in the answers.
setLogger({ error: () => undefined, warn: () => undefined });

/** One request is in flight at a time; a second socket may be closing. */
const MAX_SOCKETS = 2;
/** An answer with more is cut here: 5,000 refused lines are not worth the memory. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** What is known of a request beside what the client tells. */
interface Exchange {
  readonly chunks: Buffer[];
  bytes: number;
  /** Called once the answer is longer than anyone wants to read. */
  readonly enough: () => void;
  request?: ClientRequest;
}

/** Sends through the official client's transport, with connections of its own that are kept open. */
export function createTransport(settings: TargetSettings): Transport {
  const { origin, protocol } = new URL(settings.url);
  const secure = protocol === "https:";
  if (!secure && settings.tls.mode !== "Plaintext") return refusePlaintext(settings.url);
  const agent = secure ? httpsAgent(settings) : new HttpAgent({ keepAlive: true, maxSockets: MAX_SOCKETS });
  const exchanges = new WeakMap<AbortSignal, Exchange>();
  // The client cuts every error text that is not declared as JSON at 1,000 characters (InfluxDB 3 declares none, and its
  // list of refused lines is longer), takes JSON of any length, and does not say whether a connection was a kept one.
  // Its hook for other HTTP implementations lets us listen in.
  const listen = { request: listening(secure ? httpsRequest : httpRequest, exchanges) };
  const { transport } = new InfluxDB({
    url: origin,
    timeout: 0, // The client's is for idle sockets, and leaves them open.
    transportOptions: { agent, "follow-redirects": { http: listen, https: listen } },
  });
  const path = writePath(settings);
  const conceal = concealer(secretsOf(settings));

  const attempt = (body: Uint8Array, controller: AbortController): Promise<Answer & { stale?: boolean }> =>
    new Promise((resolve) => {
      const { signal } = controller;
      const credentials = authorization(settings);
      const headers = {
        "content-type": "text/plain; charset=utf-8",
        "content-encoding": "gzip",
        "accept-encoding": "identity",
        accept: "application/json",
        ...(credentials !== undefined && { authorization: credentials }),
      };
      let status = 0;
      let retryAfter: string | undefined;
      const answer = (text: string): void => {
        resolve({ status, body: conceal(text), retryAfter });
      };
      const enough = (): void => {
        answer(textOf(exchange));
        controller.abort();
      };
      const exchange: Exchange = { chunks: [], bytes: 0, enough };
      exchanges.set(signal, exchange);
      // The type asks for a string; the code makes a Buffer of whatever it gets, and bytes stay as they are.
      transport.send(
        path,
        body as unknown as string,
        { method: "POST", headers, signal },
        {
          responseStarted: (responseHeaders, code = 0) => {
            status = code;
            const value = responseHeaders["retry-after"];
            retryAfter = typeof value === "string" ? value : undefined;
          },
          complete: () => {
            answer(textOf(exchange));
          },
          error: (error) => {
            if (error instanceof HttpError) {
              // InfluxDB 1 may say it in a header only, which the client then takes for the body.
              answer(exchange.bytes > 0 ? textOf(exchange) : (error.body ?? ""));
              return;
            }
            const { code, text } = networkFault(error);
            const stale = status === 0 && exchange.request?.reusedSocket === true && /^(ECONNRESET|EPIPE)$/.test(code);
            resolve({ failure: conceal(status === 0 ? text : `the answer broke off after status ${status}`), stale });
          },
        },
      );
    });

  return {
    send: async (body, signal) => {
      const controller = new AbortController();
      const abort = (): void => {
        controller.abort();
      };
      if (signal.aborted) return { failure: "given up" };
      signal.addEventListener("abort", abort, { once: true });
      let late = false;
      const deadline = setTimeout(() => {
        late = true;
        controller.abort();
      }, settings.timeoutMs);
      try {
        let answer = await attempt(body, controller);
        // The server closed a kept connection just when it was used again; that says nothing about the server.
        if ("failure" in answer && answer.stale) answer = await attempt(body, controller);
        if (!("failure" in answer)) return answer;
        if (late) return { failure: `no whole answer within ${formatDuration(settings.timeoutMs)}` };
        return { failure: signal.aborted ? "given up" : answer.failure };
      } catch (thrown) {
        // Thrown before anything is sent: a token that is no header value, a certificate that is none.
        return { failure: conceal(networkFault(thrown).text), local: true };
      } finally {
        clearTimeout(deadline);
        signal.removeEventListener("abort", abort);
      }
    },
    close: () => {
      agent.destroy();
    },
  };
}

type Request = (options: RequestOptions, callback: (response: IncomingMessage) => void) => ClientRequest;

/** Does what `send` does, and notes request and answer in the exchange that belongs to the request's signal. */
function listening(send: Request, exchanges: WeakMap<AbortSignal, Exchange>): Request {
  return (options, callback) => {
    const exchange = options.signal && exchanges.get(options.signal);
    const request = send(options, (response) => {
      response.on("data", (chunk: Buffer) => {
        if (exchange === undefined || exchange.bytes >= MAX_ANSWER_BYTES) return;
        exchange.chunks.push(chunk);
        exchange.bytes += chunk.length;
        if (exchange.bytes >= MAX_ANSWER_BYTES) exchange.enough();
      });
      callback(response);
    });
    if (exchange !== undefined) exchange.request = request;
    return request;
  };
}

function textOf({ chunks }: Exchange): string {
  return Buffer.concat(chunks).subarray(0, MAX_ANSWER_BYTES).toString();
}

/** Cuts credentials out of texts, should a server send them back. */
function concealer(secrets: readonly string[]): (text: string) => string {
  return (text) => secrets.reduce((rest, secret) => rest.replaceAll(secret, "[redacted]"), text);
}

function refusePlaintext(url: string): Transport {
  const failure = `${url} is not encrypted: use https, or allow it with tls.mode: Plaintext`;
  return { send: () => Promise.resolve({ failure, local: true }), close: () => undefined };
}

function httpsAgent({ tls }: TargetSettings): HttpsAgent {
  return new HttpsAgent({
    keepAlive: true,
    maxSockets: MAX_SOCKETS,
    rejectUnauthorized: tls.mode !== "Insecure",
    ...(tls.ca !== undefined && { ca: tls.ca }),
    ...(tls.cert !== undefined && { cert: tls.cert }),
    ...(tls.key !== undefined && { key: tls.key.reveal() }),
    ...(tls.serverName !== undefined && { servername: tls.serverName }),
  });
}
