import type { DrainCost } from "./drain.ts";
import type { FanOutCost, Lags } from "./fan-out.ts";
import { CALM_S, FAULTS_S, QUIET_S, type Loss } from "./losses.ts";
import { LIMITS, TIMEOUT_MS } from "./loss-settings.ts";
import type { Circumstances } from "./machine.ts";
import { circumstances, fixed, levelTable, table, type ServiceLevel } from "./markdown.ts";
import { DOMAINS, LINES_PER_SECOND, NODE_SHAPE } from "./writer.ts";

interface Figures extends Circumstances {
  readonly fanOut: readonly FanOutCost[];
  readonly lags: Lags;
  readonly drains: readonly DrainCost[];
  readonly losses: readonly Loss[];
}

const DEFAULT_INTERVAL_S = 5;

const LEVELS: readonly ServiceLevel<Figures>[] = [
  {
    what: "a backlog of 500,000 lines goes to InfluxDB 2, without a limit of the settings",
    limit: 20_000,
    least: true,
    unit: "lines/s",
    digits: 0,
    value: ({ drains }) => drains.find(({ server, paced }) => server === "InfluxDB 2" && !paced)?.linesPerSecond ?? 0,
  },
  {
    what: "lines that are written meanwhile arrive, at the latest",
    limit: 2,
    unit: "flush intervals",
    value: ({ drains }) => Math.max(...drains.map(({ maxLag }) => maxLag)),
  },
  {
    what: "lines for a target beside one that hangs arrive, at the latest",
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
    what: "lines lost in any of the scenarios below",
    limit: 0,
    unit: "lines",
    digits: 0,
    value: ({ losses }) => losses.reduce((sum, { lost }) => sum + lost.ours, 0),
  },
];

/** The part of docs/benchmarks.md about delivery. */
export function deliveryReport(figures: Figures): string {
  return `## Delivery

A process of its own does what the agent does behind collection, at ${LINES_PER_SECOND} lines a second: ${DOMAINS} simulated domains
with ${NODE_SHAPE.nics} NICs and ${NODE_SHAPE.disks} disks become lines once a second, which go into a spool on disk and from there to the targets, with
the defaults of the configuration. The targets are on the same machine, behind a server of the benchmark that notes what comes when.

${circumstances(figures, "delivery")}

### Service levels

${levelTable(LEVELS, figures)}

### After an outage

The process starts with a backlog in its spool. Lag is the time from when a line was written until the target had stored it, in
flush intervals of a second, of the lines that were written from one interval before the target took the first request until
the backlog was gone. With the default pace a backlog goes three times as fast as it came.

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

Encoding, compression and the spool are for all targets together; a target costs its requests. CPU of the whole process, all
its threads, in percent of a core; one process for each row, all at the same time. ${DEFAULT_INTERVAL_S} s is the default interval, for
which there are ${DEFAULT_INTERVAL_S} times as many domains; a target costs more with a short one, because there are more requests for as many lines.

${table(
  ["interval", "targets", "CPU %", "against one"],
  figures.fanOut.map((cost) => [
    `${cost.intervalS} s`,
    cost.targets,
    fixed(cost.cpu, 2),
    `${fixed(cost.cpu / cpuOf(figures, 1, cost.intervalS), 2)} x`,
  ]),
)}

The longest lag of a healthy target was ${fixed(figures.lags.alone, 2)} flush intervals alone and ${fixed(figures.lags.besideHung, 2)} beside a target that takes requests
and never answers.

### Lost lines

200 lines a second, for ${FAULTS_S} seconds of faults and ${CALM_S} after them, to a real InfluxDB 2 behind a proxy that makes the faults; then
both have time until nothing more has come for ${QUIET_S} seconds, and end in order. Lost is what the program had taken over and the
server has not stored, bad lines aside. Ours is the spool on disk and a sender, with the defaults. WriteApi is that of the official
client, with its limits raised so that it need not give up a line: ${Object.entries(LIMITS)
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

WriteApi keeps lines in memory only, so what it has not delivered ends with the process; it gives up a batch at once when the
answer is a status below 429, as 400 is for one bad line, 401 and 404.
`;
}

/** At the default interval if none is given. */
function cpuOf({ fanOut }: Figures, targets: number, intervalS = DEFAULT_INTERVAL_S): number {
  const found = fanOut.find((cost) => cost.targets === targets && cost.intervalS === intervalS);
  if (found === undefined) throw new Error(`${targets} targets were not measured`);
  return found.cpu;
}
