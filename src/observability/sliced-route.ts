import { setImmediate } from "node:timers/promises";
import type { Clock } from "../lib/clock.ts";
import { plain, type Answer, type AnswerInPieces, type Routes } from "./http-server.ts";
import { METRICS_CONTENT_TYPE } from "./metric.ts";
import { SHARED_MS } from "./once-per-second.ts";

/**
 * Returns a route for metrics whose text is made in pieces, and other work runs between two. A text is made when a client asks
 * for it, and shared for a second. At most two are in memory and a third in the making: clients that have still not received an
 * older one are cut off, so slow clients do not use up the memory. `pieces` returns undefined until there is something to tell.
 */
export function slicedRoute(
  clock: Clock,
  ending: AbortSignal,
  pieces: () => Iterable<string> | undefined,
): Routes[string] {
  let current: Promise<Answer | AnswerInPieces> | undefined;
  let sent: readonly AbortController[] = [];
  const make = async (): Promise<Answer | AnswerInPieces> => {
    const outdated = new AbortController();
    const [newest, ...older] = sent;
    for (const one of older) one.abort();
    sent = newest === undefined ? [outdated] : [outdated, newest];
    try {
      const made = pieces();
      if (made === undefined) return plain(503, "starting");
      const body: Buffer[] = [];
      for (const piece of made) {
        if (piece !== "") body.push(Buffer.from(piece));
        await setImmediate();
      }
      return { type: METRICS_CONTENT_TYPE, body, outdated: outdated.signal };
    } finally {
      void clock.sleep(SHARED_MS, ending).then(() => {
        current = undefined;
      });
    }
  };
  return () => (current ??= make());
}
