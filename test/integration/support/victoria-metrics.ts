import type { Point } from "../../../scripts/demo/line-protocol-parser.ts";
import { ServerProcess } from "./server-process.ts";

/** Samples become visible at once, and old ones are kept. */
const OPTIONS = ["-search.latencyOffset=0s", "-retentionPeriod=100y"];

interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly number[];
  /** In milliseconds. */
  readonly timestamps: readonly number[];
}

/** Starts a VictoriaMetrics: a program of Debian or a built one. */
export function startVictoriaMetrics(command: string): Promise<ServerProcess> {
  return ServerProcess.start(({ directory, port }) => ({
    command,
    args: [`-storageDataPath=${directory}`, `-httpListenAddr=127.0.0.1:${port}`, ...OPTIONS],
    ready: "/health",
  }));
}

/** Returns everything that the server holds, a text for each value. */
export async function storedSamples(server: ServerProcess): Promise<readonly string[]> {
  await server.ask("/internal/force_flush");
  const text = await server.ask(`/api/v1/export?start=0&match[]=${encodeURIComponent('{__name__!=""}')}`);
  return text
    .split("\n")
    .filter(Boolean)
    .map((row) => JSON.parse(row) as Series)
    .flatMap(({ metric, values, timestamps }) =>
      values.map((value, index) => sampleText(metric, value, timestamps[index] ?? 0)),
    );
}

/** Returns what VictoriaMetrics holds of a point: a series for each field, float64 values, 0 for a text, milliseconds. */
export function samplesOf({ measurement, tags, fields, timestamp }: Point, db?: string): readonly string[] {
  const labels = { ...Object.fromEntries(tags), ...(db !== undefined && { db }) };
  return [...fields].map(([field, value]) => {
    const metric = { __name__: `${measurement}_${field}`, ...labels };
    return sampleText(metric, typeof value === "string" ? 0 : Number(value), Number(timestamp / 1_000_000n));
  });
}

function sampleText(metric: Series["metric"], value: number, timeMs: number): string {
  return JSON.stringify([Object.entries(metric).sort(), value, timeMs]);
}
