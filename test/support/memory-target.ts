import type { Answer } from "../../src/delivery/outcome.ts";
import type { TargetSettings } from "../../src/delivery/target.ts";
import type { Transport } from "../../src/delivery/http/http-client.ts";
import { linesOf } from "./gzip-member.ts";

/** A target without a network; accepts every request, unless it has another answer. */
export class MemoryTarget {
  /** The lines of each request, for every answer. */
  readonly requests: (readonly string[])[] = [];
  readonly stored: string[] = [];
  /** Settings of each connection, in order. */
  readonly connections: TargetSettings[] = [];
  closed = 0;
  /** Requests without an answer. */
  openRequests = 0;
  answer: (lines: readonly string[], signal: AbortSignal) => Answer | Promise<Answer> = taken;

  readonly transport = (settings: TargetSettings): Transport => {
    this.connections.push(settings);
    return {
      send: async (body, signal) => {
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
  };
}

export function taken(): Answer {
  return { status: 204, body: "" };
}

/** Never answers; the request ends when it is aborted. */
export function hanging(_lines: readonly string[], signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => {
      resolve({ failure: "given up" });
    });
  });
}
