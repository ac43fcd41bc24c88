import { request } from "node:http";
import { setTimeout } from "node:timers/promises";
import { isAborted } from "../../src/lib/abort.ts";

const PATIENCE_MS = 10_000;
const PERIOD_MS = 250;
const READ_MS = 5_000;
const LAG = "kubevirt_telemetry_event_loop_lag_seconds_bucket";

/** The longest answer of /healthz in milliseconds. Infinity: an answer did not come in time or was not 200. */
export async function longestHealth(port: number, signal: AbortSignal): Promise<number> {
  let longest = 0;
  while (!isAborted(signal)) {
    const begun = performance.now();
    const { status } = await get(port, "/healthz", signal);
    if (isAborted(signal) && status === undefined) break;
    longest = Math.max(longest, status === 200 ? performance.now() - begun : Number.POSITIVE_INFINITY);
    await setTimeout(PERIOD_MS, undefined, { signal }).catch(() => undefined);
  }
  return longest;
}

/** Reads the status page and the metrics every few seconds, as an administrator and Prometheus do. */
export async function readPages(port: number, signal: AbortSignal): Promise<void> {
  while (!isAborted(signal)) {
    for (const path of ["/", "/metrics"]) await get(port, path, signal);
    await setTimeout(READ_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Upper bound of a delay of the event loop, in seconds -> how often a delay was at most that long. */
export type LagBuckets = ReadonlyMap<string, number>;

/** Resolves to the agent's histogram of delays; undefined if the port does not answer. */
export async function readLag(port: number): Promise<LagBuckets | undefined> {
  const { status, text } = await get(port, "/metrics");
  if (status !== 200) return undefined;
  const rows = text.split("\n").flatMap((line): [string, number][] => {
    const [, bound = "", count = ""] = new RegExp(`^${LAG}\\{le="([^"]+)"\\} (\\d+)`).exec(line) ?? [];
    return bound === "" ? [] : [[bound, Number(count)]];
  });
  return rows.length === 0 ? undefined : new Map(rows);
}

/** Returns the bound of the longest delay between two readings; undefined if there was none. */
export function longestLag(before: LagBuckets, after: LagBuckets): string | undefined {
  const grown = (bound: string): number => (after.get(bound) ?? 0) - (before.get(bound) ?? 0);
  const all = grown("+Inf");
  return all === 0 ? undefined : [...after.keys()].find((bound) => grown(bound) === all);
}

/** Asks over a connection of its own. The status is undefined if there is no answer. */
function get(
  port: number,
  path: string,
  signal?: AbortSignal,
): Promise<{ readonly status: number | undefined; readonly text: string }> {
  return new Promise((resolve) => {
    const failed = (): void => {
      resolve({ status: undefined, text: "" });
    };
    const deadline = AbortSignal.timeout(PATIENCE_MS);
    const asked = request(
      { host: "127.0.0.1", port, path, agent: false, signal: signal ? AbortSignal.any([signal, deadline]) : deadline },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (part: string) => (text += part));
        response.on("end", () => {
          resolve({ status: response.statusCode, text });
        });
        response.on("error", failed);
      },
    );
    asked.on("error", failed);
    asked.end();
  });
}
