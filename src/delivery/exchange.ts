import type { ClientRequest, IncomingMessage } from "node:http";
import type { RequestOptions } from "node:https";

/** An answer with more is cut here: 5,000 refused lines are not worth the memory. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** One request and its answer, as seen beside the official client. */
export class Exchange {
  readonly #enough: () => void;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #request: ClientRequest | undefined;

  /** `enough` is called once the answer is longer than anyone wants to read. */
  constructor(enough: () => void) {
    this.#enough = enough;
  }

  /** The answer's body, at most 64 KiB of it; empty when it came compressed, which nobody asked for. */
  get text(): string {
    return Buffer.concat(this.#chunks).subarray(0, MAX_ANSWER_BYTES).toString();
  }

  /** Whether the request went over a connection that was kept open after an earlier one. */
  get reusedConnection(): boolean {
    return this.#request?.reusedSocket === true;
  }

  sent(request: ClientRequest): void {
    this.#request = request;
  }

  answered(response: IncomingMessage): void {
    const readable = response.headers["content-encoding"] === undefined;
    response.on("data", (chunk: Buffer) => {
      if (this.#bytes >= MAX_ANSWER_BYTES) return;
      this.#bytes += chunk.length;
      if (readable) this.#chunks.push(chunk);
      if (this.#bytes >= MAX_ANSWER_BYTES) this.#enough();
    });
  }
}

export type Request = (options: RequestOptions, callback: (response: IncomingMessage) => void) => ClientRequest;

/**
 * Sends as `send` does, and shows request and answer to the exchange that belongs to the request's signal.
 *
 * The official client has a hook for other HTTP implementations, which this uses to listen in, because the client cuts
 * an error text that is not declared as JSON at 1,000 characters (InfluxDB 3 declares nothing, and its list of refused
 * lines is longer), takes JSON of any length, and does not tell a fresh connection from a kept one.
 */
export function listening(send: Request, exchanges: WeakMap<AbortSignal, Exchange>): Request {
  return (options, callback) => {
    const exchange = options.signal === undefined ? undefined : exchanges.get(options.signal);
    const request = send(options, (response) => {
      exchange?.answered(response);
      callback(response);
    });
    exchange?.sent(request);
    return request;
  };
}
