import type { NamedDrain } from "./drains.ts";
import type { FanOutCost, Lags } from "./fan-out.ts";
import { CALM_S, FAULTS_S, QUIET_S, type Loss } from "./losses.ts";
import { LIMITS, TIMEOUT_MS } from "./loss-settings.ts";
import type { Circumstances } from "./machine.ts";
import { circumstances, fixed, levelTable, table, type ServiceLevel } from "./markdown.ts";
import { DOMAINS, LINES_PER_SECOND, NODE_SHAPE } from "./writer.ts";

interface Figures extends Circumstances {
  readonly fanOut: readonly FanOutCost[];
  readonly lags: Lags;
  readonly drains: readonly NamedDrain[];
  readonly losses: readonly Loss[];
}

const DEFAULT_INTERVAL_S = 5;

const LEVELS: readonly ServiceLevel<Figures>[] = [
  {
    what: "a backlog of 500,000 lines drains to InfluxDB 2, without a configured limit",
    limit: 20_000,
    least: true,
    unit: "lines/s",
    digits: 0,
    value: ({ drains }) => drains.find(({ server, paced }) => server === "InfluxDB 2" && !paced)?.linesPerSecond ?? 0,
  },
  {
    what: "lines written meanwhile arrive within",
    limit: 2,
    unit: "flush intervals",
    value: ({ drains }) => Math.max(...drains.map(({ maxLag }) => maxLag)),
  },
  {
    what: "lines for a target beside a hung one arrive within",
    limit: 2,
    unit: "flush intervals",
    value: ({ lags }) => lags.besideHung,
  },
  {
    what: `CPU at ${LINES_PER_SECOND} lines a second, with one target`,
    limit: 2,
    unit: "% of a core",
    value: (figures) => cpuOf(figures, 1),
  },
  {
    what: "the same with four targets, against one",
    limit: 1.2,
    unit: "x",
    value: (figures) => cpuOf(figures, 4) / cpuOf(figures, 1),
  },
  {
    what: "lines lost in all scenarios below",
    limit: 0,
    unit: "lines",
    digits: 0,
    value: ({ losses }) => losses.reduce((sum, { lost }) => sum + lost.ours, 0),
  },
];

/** Returns the part of docs/benchmarks.md about delivery. */
export function deliveryReport(figures: Figures): string {
  return `## Delivery

A separate process does the agent's work after collection, at ${LINES_PER_SECOND} lines a second. Once a second it makes the lines of ${DOMAINS} simulated
domains with ${NODE_SHAPE.nics} NICs and ${NODE_SHAPE.disks} disks, writes them to a spool on disk, and sends them to the targets, with the defaults of the
configuration. The targets are on the same machine, behind a server of the benchmark that records the lines and their times.

${circumstances(figures, "delivery")}

### Service levels

${levelTable(LEVELS, figures)}

### After an outage

The process starts with a backlog in its spool. Lag is the time from writing a line until the target has stored it, in flush
intervals of a second. It counts the lines written from one interval before the target's first request until the backlog was gone.
With the default pace a backlog drains three times as fast as it grew.

${table(
  ["target", "pace", "backlog", "lines/s", "longest lag of new lines", "memory MiB, before", "at its highest"],
  figures.drains.map((cost) => [
    cost.server,
    cost.paced ? "default" : "no limit",
    cost.backlogLines,
    fixed(cost.linesPerSecond, 0),
    fixed(cost.maxLag, 2),
    fixed(cost.residentBefore),
    fixed(cost.residentPeak),
  ]),
)}

### Several targets

All targets share encoding, compression and the spool; each target costs its own requests. The table has the CPU of the whole process,
all its threads, in percent of a core. Each row is one process; all run at the same time. ${DEFAULT_INTERVAL_S} s is the default interval, with ${DEFAULT_INTERVAL_S} times as
many domains. A target costs more with a short interval, because the same lines take more requests.

${table(
  ["interval", "targets", "CPU %", "against one"],
  figures.fanOut.map((cost) => [
    `${cost.intervalS} s`,
    cost.targets,
    fixed(cost.cpu, 2),
    `${fixed(cost.cpu / cpuOf(figures, 1, cost.intervalS), 2)} x`,
  ]),
)}

The longest lag of a healthy target was ${fixed(figures.lags.alone, 2)} flush intervals alone and ${fixed(figures.lags.besideHung, 2)} beside a target that accepts requests
and never answers.

### Lost lines

Both programs write 200 lines a second, for ${FAULTS_S} seconds of faults and ${CALM_S} after them, to a real InfluxDB 2 behind a proxy that makes the
faults. Then both have time until no line has arrived for ${QUIET_S} seconds, and shut down in order. Lost lines are those that the program
had accepted and the server has not stored, except bad lines. Ours is the spool on disk and a sender, with the defaults. WriteApi is
that of the official client, with limits so high that it does not have to drop a line: ${Object.entries(LIMITS)
    .map(([name, value]) => `\`${name}: ${value}\``)
    .join(", ")}; batches and
buffers are otherwise its defaults. Both have a timeout of ${TIMEOUT_MS / 1_000} s and flush once a second.

${table(
  ["what happens", "lost by ours", "lost by WriteApi"],
  figures.losses.map(({ what, written, lost }) => [
    what,
    `${lost.ours} of ${written.ours}`,
    `${lost.theirs} of ${written.theirs}`,
  ]),
)}

WriteApi keeps lines only in memory, so undelivered lines are lost with the process. It drops a batch at once when the answer is a
status below 429, such as 400 for one bad line, 401 and 404.
`;
}

/** Returns the CPU with this number of targets, by default at the default interval. */
function cpuOf({ fanOut }: Figures, targets: number, intervalS = DEFAULT_INTERVAL_S): number {
  const found = fanOut.find((cost) => cost.targets === targets && cost.intervalS === intervalS);
  if (found === undefined) throw new Error(`${targets} targets were not measured`);
  return found.cpu;
}
