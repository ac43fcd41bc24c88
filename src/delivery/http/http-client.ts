import { request as httpRequest, type Agent } from "node:http";
import { request as httpsRequest } from "node:https";
import { HttpError, InfluxDB, setLogger } from "@influxdata/influxdb-client";
import { formatDuration } from "../../lib/duration.ts";
import { networkFault } from "../../lib/network-fault.ts";
import { Exchange, listening } from "../exchange.ts";
import type { Answer } from "../outcome.ts";
import { createAgent, proxySecrets, type ProxyEnvironment } from "./proxy.ts";
import { REMEDIES } from "../remedies.ts";
import { authorization, secretsOf, writePath } from "../influx/request.ts";
import type { TargetSettings } from "../target.ts";

/** The way to one target: bytes out, an answer back. Never rejects. */
export interface Transport {
  /** `body` is gzipped line protocol, one member. */
  send(body: Uint8Array, signal: AbortSignal): Promise<Answer>;
  /** Closes the connections; a request in flight fails. */
  close(): void;
}

// The client logs on its own to the console; what there is to say is in the answers.
setLogger({ error: () => undefined, warn: () => undefined });

const LATE = new Error("late");
/** What writing to a connection ends with that the server has closed meanwhile. */
const CLOSED_BY_SERVER = ["ECONNRESET", "EPIPE"];

/** Sends through the official client's transport, with connections of its own that are kept open. */
export function createTransport(settings: TargetSettings, proxies: ProxyEnvironment = {}): Transport {
  const { protocol } = new URL(settings.url);
  if (protocol !== "https:" && settings.tls.mode !== "Plaintext")
    return refusing(`${settings.url} is not encrypted: use https, or allow it with tls.mode: Plaintext`);
  try {
    return new ClientTransport(settings, proxies);
  } catch {
    // Without the fault's own words, which may hold the variable's value.
    return refusing("HTTP_PROXY or HTTPS_PROXY in the environment is not the URL of a proxy");
  }
}

type Attempt = Answer & { readonly staleConnection?: boolean };

class ClientTransport implements Transport {
  readonly #settings: TargetSettings;
  readonly #path: string;
  readonly #secrets: readonly string[];
  readonly #agent: Agent;
  readonly #client: InfluxDB["transport"];
  readonly #exchanges = new WeakMap<AbortSignal, Exchange>();

  constructor(settings: TargetSettings, proxies: ProxyEnvironment) {
    this.#settings = settings;
    this.#path = writePath(settings);
    this.#secrets = [...secretsOf(settings), ...proxySecrets(proxies)];
    this.#agent = createAgent(settings, proxies);
    const implementation = {
      http: { request: listening(httpRequest, this.#exchanges) },
      https: { request: listening(httpsRequest, this.#exchanges) },
    };
    this.#client = new InfluxDB({
      url: new URL(settings.url).origin,
      timeout: 0, // The client's is for idle sockets, and leaves them open.
      transportOptions: { agent: this.#agent, "follow-redirects": implementation },
    }).transport;
  }

  async send(body: Uint8Array, signal: AbortSignal): Promise<Answer> {
    const controller = new AbortController();
    const deadline = setTimeout(() => {
      controller.abort(LATE);
    }, this.#settings.timeoutMs);
    const giveUp = (): void => {
      controller.abort();
    };
    signal.addEventListener("abort", giveUp, { once: true });
    if (signal.aborted) giveUp();
    try {
      let answer = await this.#attempt(body, controller);
      // A kept connection that the server closes just when it is used again says nothing about the server.
      if (answer.staleConnection === true) answer = await this.#attempt(body, controller);
      // A connection that is being made is not closed by the request that wants it.
      if (controller.signal.aborted) this.#agent.destroy();
      if ("failure" in answer && controller.signal.reason === LATE) {
        return { failure: `no whole answer within ${formatDuration(this.#settings.timeoutMs)}` };
      }
      return answer;
    } catch (thrown) {
      // Before anything was sent: a token that cannot be a header, a certificate that is none.
      return { failure: this.#conceal(networkFault(thrown, REMEDIES).text), local: true };
    } finally {
      clearTimeout(deadline);
      signal.removeEventListener("abort", giveUp);
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #attempt(body: Uint8Array, controller: AbortController): Promise<Attempt> {
    return new Promise((resolve) => {
      let status = 0;
      let retryAfter: string | undefined;
      const answer = (text: string): void => {
        resolve({ status, retryAfter, body: this.#conceal(text) });
      };
      const exchange = new Exchange(() => {
        answer(exchange.text);
        controller.abort();
      });
      this.#exchanges.set(controller.signal, exchange);
      const options = { method: "POST", headers: this.#headers(), signal: controller.signal };
      // The type asks for a string; the code makes a Buffer of whatever it gets, of an ArrayBuffer without a copy.
      this.#client.send(this.#path, unshared(body) as unknown as string, options, {
        responseStarted: (headers, code = 0) => {
          status = code;
          const value = headers["retry-after"];
          retryAfter = typeof value === "string" ? value : undefined;
        },
        complete: () => {
          answer(exchange.text);
        },
        error: (error) => {
          // InfluxDB 1 may give its reason in a header only, which the client takes for the body.
          if (error instanceof HttpError) answer(exchange.text || (error.body ?? ""));
          else resolve(this.#failure(error, status, exchange));
        },
      });
    });
  }

  #failure(error: Error, status: number, exchange: Exchange): Attempt {
    if (status !== 0) return { failure: `the answer, with status ${status}, broke off` };
    const { code, text } = networkFault(error, REMEDIES);
    const staleConnection = exchange.reusedConnection && CLOSED_BY_SERVER.includes(code);
    return { failure: this.#conceal(text), staleConnection };
  }

  #headers(): Record<string, string> {
    const credentials = authorization(this.#settings);
    return {
      "content-type": "text/plain; charset=utf-8",
      "content-encoding": "gzip",
      "accept-encoding": "identity",
      accept: "application/json",
      ...(credentials !== undefined && { authorization: credentials }),
    };
  }

  /** Cuts credentials out of a text, should a server send them back. */
  #conceal(text: string): string {
    return this.#secrets.reduce((rest, secret) => rest.replaceAll(secret, "[redacted]"), text);
  }
}

/** The memory of these bytes if nothing else is in it. */
function unshared(bytes: Uint8Array): Uint8Array | ArrayBufferLike {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes.buffer : bytes;
}

function refusing(failure: string): Transport {
  return { send: () => Promise.resolve({ failure, local: true }), close: () => undefined };
}
