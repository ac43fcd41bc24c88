import type { EffectiveTarget } from "../../src/config/resolve.ts";
import type { Answer, HttpClient } from "../../src/delivery/http/http-client.ts";
import { INFLUX, InfluxTransport } from "../../src/delivery/influx/influx.ts";
import type { Protocol } from "../../src/delivery/protocol.ts";
import { linesOf } from "./gzip-member.ts";

/** A target without a network. It accepts every request until `answer` is replaced. */
export class MemoryTarget {
  /** The lines of each request, whatever the answer. */
  readonly requests: (readonly string[])[] = [];
  readonly stored: string[] = [];
  /** Settings of each connection, in order. */
  readonly connections: EffectiveTarget[] = [];
  closed = 0;
  /** Requests without an answer. */
  openRequests = 0;
  answer: (lines: readonly string[], signal: AbortSignal) => Answer | Promise<Answer> = taken;

  readonly protocol: Protocol = {
    ...INFLUX,
    open: (target, context) => {
      this.connections.push(target);
      return new InfluxTransport(this.#http, target, context);
    },
  };

  readonly #http: HttpClient = {
    post: async (body, signal) => {
      const lines = linesOf(body);
      this.requests.push(lines);
      this.openRequests++;
      const answer = await this.answer(lines, signal);
      this.openRequests--;
      if ("status" in answer && answer.status === 204) this.stored.push(...lines);
      return answer;
    },
    close: () => {
      this.closed++;
    },
  };
}

export function taken(): Answer {
  return { status: 204, body: "" };
}

/** Never answers; the request ends when it is aborted. */
export function hanging(_lines: readonly string[], signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => {
      resolve({ failure: "aborted" });
    });
  });
}
