import { messageOf } from "../errors.ts";
import { expandFrame } from "../spool/gzip-member.ts";
import type { Outcome } from "./outcome.ts";
import type { Protocol } from "./protocol.ts";

/** Writes the lines to standard output, for `agent --print`. A line counts as delivered when the stream has taken it. */
export const PRINT: Protocol = {
  destination: () => "stdout",
  open: (_target, { stdout = process.stdout }) => ({
    send: ({ body }, signal) =>
      new Promise<Outcome>((resolve) => {
        // The reader of a pipe may have stopped reading.
        const aborted = (): void => {
          resolve({ kind: "retry", reason: "TargetUnreachable", detail: "standard output: aborted" });
        };
        signal.addEventListener("abort", aborted, { once: true });
        if (signal.aborted) aborted();
        stdout.write(body, (error) => {
          signal.removeEventListener("abort", aborted);
          if (error == null) resolve({ kind: "delivered" });
          else resolve({ kind: "retry", reason: "TargetUnreachable", detail: `standard output: ${messageOf(error)}` });
        });
      }),
    close: () => undefined,
  }),
  body: async (frames) => Buffer.concat(await Promise.all(frames.map(expandFrame))),
  // Standard output rejects no line, so there is no bad line to find.
  split: (lines) => [0, lines.length],
  kinds: [],
};
