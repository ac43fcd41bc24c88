import { TelemetryError } from "../errors.ts";
import { systemClock } from "../lib/clock.ts";
import { commaList } from "../lib/comma-list.ts";
import { parseDuration } from "../lib/duration.ts";
import type { ShownFamily, SortKey } from "../top/columns.ts";
import { runTop } from "../top/top.ts";
import type { StandardStreams } from "./standard-streams.ts";

interface TopArguments {
  readonly once?: boolean;
  readonly interval: string;
  readonly sort: SortKey;
  readonly families?: readonly ShownFamily[];
  /** Each a `commaList`. */
  readonly libvirtSocket?: readonly string[];
  readonly podsDir?: string;
}

const MIN_INTERVAL_MS = 200;
/** As for the families of a TelemetryConfig. */
const MAX_INTERVAL_MS = 24 * 3_600_000;

/** Shows the VMs of the node. Resolves to the exit code: 1 if the table of `--once` is incomplete. */
export async function top(given: TopArguments, signal: AbortSignal, streams: StandardStreams): Promise<number> {
  const intervalMs = parseDuration(given.interval) ?? 0;
  if (intervalMs < MIN_INTERVAL_MS || intervalMs > MAX_INTERVAL_MS)
    throw new TelemetryError(
      "E_USAGE",
      `--interval must be a duration from 200ms to 24h, such as 2s, is ${given.interval}`,
    );
  const { stdin, stdout, stderr } = streams;
  const complete = await runTop({
    libvirtSockets: given.libvirtSocket && commaList(given.libvirtSocket),
    podsDir: given.podsDir,
    sort: given.sort,
    once: given.once === true,
    intervalMs,
    families: given.families ?? [],
    output: stdout,
    input: stdin,
    reportFault: (line) => {
      stderr.write(`error: ${line}\n`);
    },
    width: stdout.columns || Number(process.env["COLUMNS"]) || Number.POSITIVE_INFINITY,
    clock: systemClock,
    signal,
  });
  return complete ? 0 : 1;
}
