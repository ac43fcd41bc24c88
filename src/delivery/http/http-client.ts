import {
  request as httpRequest,
  type Agent,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { urlToHttpOptions } from "node:url";
import { gunzipSync } from "node:zlib";
import type { EffectiveTarget } from "../../config/resolve.ts";
import { formatDuration } from "../../lib/duration.ts";
import { networkFault } from "../../lib/network-fault.ts";
import { createAgent, proxySecrets, type ProxyEnvironment } from "./proxy.ts";
import { limitReceived } from "./receive-limit.ts";
import { redactor } from "./redaction.ts";
import { REMEDIES } from "./remedies.ts";

/** The result of one request: the server's answer, or the reason why no answer arrived. */
export type Answer =
  | {
      readonly status: number;
      readonly retryAfter?: string | undefined;
      readonly body: string;
      /** The body was longer, and its end is missing. */
      readonly isCut?: boolean;
      /** Those of `HttpOptions.answerHeaders` that the answer has, by name in lower case. */
      readonly headers?: Readonly<Record<string, string>>;
    }
  /**
   * `local`: the agent's own settings are at fault, and nothing was sent. `closed`: the whole request was sent, and the server closed
   * the connection.
   */
  | { readonly failure: string; readonly local?: boolean; readonly closed?: boolean };

/** Sends requests to one URL. */
export interface HttpClient {
  /** Sends a POST request with a body of this encoding. Resolves to the answer, without secrets. Never rejects. */
  post(body: Uint8Array, signal: AbortSignal, encoding?: "gzip"): Promise<Answer>;
  /** Closes all connections. A request in flight fails. */
  close(): void;
}

export interface HttpOptions extends Pick<EffectiveTarget, "url" | "tls" | "timeoutMs"> {
  /** Path and query, which replace those of `url`. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly proxies?: ProxyEnvironment | undefined;
  /** Texts that are redacted in answers and failures. */
  readonly secrets: readonly string[];
  /** Names of headers that an answer keeps, in lower case. */
  readonly answerHeaders?: readonly string[];
}

/** The rest of a longer answer is not read: a list of 5,000 rejected lines is not worth the memory. */
const MAX_ANSWER_BYTES = 64 * 1024;
/** A server sends such an answer in a few parts. Each part costs more than its bytes. */
const MAX_ANSWER_PARTS = 1_000;
/** Longest value of a header that an answer keeps. */
const MAX_HEADER = 512;
const TIMEOUT = new Error("timeout");
/** Error codes of a write to a connection that the server has closed. */
const CLOSED_BY_SERVER = ["ECONNRESET", "EPIPE"];

/** Returns a client that keeps its connections open. With settings that cannot work, every request fails. */
export function openHttp(options: HttpOptions): HttpClient {
  const { url, tls, proxies = {} } = options;
  if (new URL(url).protocol !== "https:" && tls.mode !== "Plaintext")
    return failing(`${url} is not encrypted: use https, or allow it with tls.mode: Plaintext`);
  try {
    return new KeepAliveClient(options, createAgent(options, proxies));
  } catch {
    // The error's own text may contain the variable's value.
    return failing("HTTP_PROXY or HTTPS_PROXY in the environment is not the URL of a proxy");
  }
}

function failing(failure: string): HttpClient {
  return { post: () => Promise.resolve({ failure, local: true }), close: () => undefined };
}

type Attempt = Answer & { readonly staleConnection?: boolean };

class KeepAliveClient implements HttpClient {
  readonly #options: HttpOptions;
  readonly #agent: Agent;
  readonly #request: RequestOptions;
  readonly #redact: (text: string) => string;

  constructor(options: HttpOptions, agent: Agent) {
    const { url, path, secrets, proxies = {} } = options;
    this.#options = options;
    this.#agent = agent;
    this.#request = { ...urlToHttpOptions(new URL(new URL(url).origin)), path, method: "POST", agent };
    this.#redact = redactor([...secrets, ...proxySecrets(proxies)]);
  }

  async post(body: Uint8Array, signal: AbortSignal, encoding?: "gzip"): Promise<Answer> {
    const { timeoutMs } = this.#options;
    const controller = new AbortController();
    const deadline = setTimeout(() => {
      controller.abort(TIMEOUT);
    }, timeoutMs);
    const abort = (): void => {
      controller.abort();
    };
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    try {
      const headers = { ...this.#options.headers, ...(encoding !== undefined && { "content-encoding": encoding }) };
      let answer = await this.#attempt(body, headers, controller.signal);
      // A server may close an idle connection just when it is used again. This is not a failure of the server.
      if (answer.staleConnection === true) answer = await this.#attempt(body, headers, controller.signal);
      // Aborting a request does not close a connection that is still being made.
      if (controller.signal.aborted) this.#agent.destroy();
      if ("failure" in answer && controller.signal.reason === TIMEOUT)
        return { failure: `no complete answer within ${formatDuration(timeoutMs)}` };
      return answer;
    } catch (thrown) {
      // Thrown before anything is sent: the token is not valid in a header, or the certificate cannot be parsed.
      return { failure: networkFault(thrown, REMEDIES, this.#redact).text, local: true };
    } finally {
      clearTimeout(deadline);
      signal.removeEventListener("abort", abort);
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #attempt(body: Uint8Array, fixed: HttpOptions["headers"], signal: AbortSignal): Promise<Attempt> {
    return new Promise((resolve) => {
      const send = this.#request.protocol === "https:" ? httpsRequest : httpRequest;
      const headers = { ...fixed, "content-length": body.length };
      const request = send({ ...this.#request, headers, signal }, (response) => {
        resolve(this.#answer(request, response));
      });
      limitReceived(request);
      request.on("error", (error) => {
        const { code, text } = networkFault(error, REMEDIES, this.#redact);
        const isClosed = CLOSED_BY_SERVER.includes(code);
        resolve({
          failure: text,
          staleConnection: request.reusedSocket && isClosed,
          closed: isClosed && request.writableFinished,
        });
      });
      // After 101, Node closes the connection and reports neither an answer nor an error.
      request.on("close", () => {
        resolve({ failure: "the connection was closed without an answer" });
      });
      // Node reports an aborted request only when it has a connection, and a proxy's tunnel may never be ready.
      signal.addEventListener("abort", () => {
        resolve({ failure: "aborted" });
      });
      request.end(body);
    });
  }

  async #answer(request: ClientRequest, response: IncomingMessage): Promise<Answer> {
    const { statusCode: status = 0, headers } = response;
    const body = await readBody(response);
    if (!response.complete) request.destroy();
    if (body === undefined) return { failure: `the answer with status ${status} is incomplete` };
    const text = textOf(body, headers["content-encoding"]);
    const isCut = !response.complete || body.length >= MAX_ANSWER_BYTES || (text === "" && body.length > 0);
    return {
      status,
      retryAfter: headers["retry-after"],
      body: this.#redact(text),
      ...(isCut && { isCut }),
      headers: this.#kept(headers),
    };
  }

  #kept(headers: IncomingHttpHeaders): Readonly<Record<string, string>> {
    const { answerHeaders = [] } = this.#options;
    const kept = answerHeaders.flatMap((name) => {
      const value = headers[name];
      return typeof value === "string" ? [[name, this.#redact(value).slice(0, MAX_HEADER)] as const] : [];
    });
    return Object.fromEntries(kept);
  }
}

/** Resolves to the body up to its limits, or to undefined if the connection is lost before. */
function readBody(response: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    const end = (): void => {
      resolve(Buffer.concat(parts).subarray(0, MAX_ANSWER_BYTES));
    };
    const take = (part: Buffer): void => {
      bytes += part.length;
      if (parts.push(part) < MAX_ANSWER_PARTS && bytes < MAX_ANSWER_BYTES) return;
      // The parser may have thousands of parts left.
      response.off("data", take).destroy();
      end();
    };
    // With many parts this costs a tenth of what an iterator costs.
    response.on("data", take).on("end", end);
    response
      .on("error", () => undefined)
      .on("close", () => {
        resolve(undefined);
      });
  });
}

/** Returns the text of a body. The request forbids compression, but a proxy may use gzip nevertheless. */
function textOf(bytes: Buffer, encoding: string | undefined): string {
  if (encoding === undefined) return bytes.toString();
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_ANSWER_BYTES }).toString();
  } catch {
    return "";
  }
}
