import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { HttpError, InfluxDB, setLogger } from "@influxdata/influxdb-client";
import type { Answer } from "./outcome.ts";
import { authorization, writePath } from "./requests.ts";
import type { TargetSettings } from "./target.ts";

/** The way to one target: bytes out, an answer back. Never rejects. */
export interface Transport {
  /** `body` is gzipped line protocol, one member or several. */
  send(body: Uint8Array, signal: AbortSignal): Promise<Answer>;
  close(): void;
}

// The client logs on its own to the console; what there is to say is in the answers.
setLogger({ error: () => undefined, warn: () => undefined });

/** One request is in flight at a time; a second socket may be closing. */
const MAX_SOCKETS = 2;

/** Sends through the official client's transport, with connections of its own that are kept open. */
export function createTransport(settings: TargetSettings): Transport {
  const { origin, protocol } = new URL(settings.url);
  const agent =
    protocol === "https:" ? httpsAgent(settings) : new HttpAgent({ keepAlive: true, maxSockets: MAX_SOCKETS });
  // The idle timeout of the client ends nothing; the signal of every request does.
  const { transport } = new InfluxDB({ url: origin, timeout: settings.timeoutMs, transportOptions: { agent } });
  const path = writePath(settings);
  const credentials = authorization(settings);
  const headers = {
    "content-type": "text/plain; charset=utf-8",
    "content-encoding": "gzip",
    accept: "application/json",
    ...(credentials !== undefined && { authorization: credentials }),
  };
  return {
    send: (body, signal) =>
      new Promise<Answer>((resolve) => {
        const options = {
          method: "POST",
          headers,
          signal: AbortSignal.any([signal, AbortSignal.timeout(settings.timeoutMs)]),
        };
        let status = 204;
        // The type asks for a string, the code turns whatever it gets into a Buffer, and bytes stay as they are.
        transport.send(path, body as unknown as string, options, {
          responseStarted: (_headers, code) => {
            status = code ?? status;
          },
          complete: () => {
            resolve({ status, body: "" });
          },
          error: (error) => {
            resolve(answerOf(error, settings.timeoutMs));
          },
        });
      }),
    close: () => {
      agent.destroy();
    },
  };
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

function answerOf(error: Error, timeoutMs: number): Answer {
  if (error instanceof HttpError) {
    const retryAfter = error.headers?.["retry-after"];
    return {
      status: error.statusCode,
      body: error.body ?? "",
      ...(typeof retryAfter === "string" && { retryAfter }),
    };
  }
  if (error.name === "AbortError" || error.name === "TimeoutError")
    return { failure: `no whole answer within ${timeoutMs} ms` };
  return { failure: error.message === "" ? error.name : error.message };
}
