import { setTimeout } from "node:timers/promises";
import { bestLine } from "./best-line.ts";
import { FormStarter, type FormAgent } from "./forms.ts";
import { circumstancesOf } from "./machine.ts";
import { circumstances, fixed, table } from "./markdown.ts";
import { workingSetMiB } from "./memory-group.ts";
import { residentMiB } from "./process-usage.ts";

const DOMAINS = 60;
const MINUTES = 60;
/** Until then V8 compiles, and its heap finds its size. */
const SETTLES_MIN = 15;
/** In a minute. A point is their mean, because a collection of garbage moves a single reading by some MiB. */
const READINGS = 12;
const AT_MOST_MIB = 1;

interface Reading {
  readonly minute: number;
  readonly resident: number;
  readonly workingSet: number;
}

/** Measures for an hour whether the agent grows while the same VMs run. */
export async function measure(resources: AsyncDisposableStack): Promise<string> {
  const now = circumstancesOf({});
  const agent = await new FormStarter(resources).start(
    { name: "this one", directory: "." },
    "standalone",
    DOMAINS,
    "1s",
  );
  const readings: Reading[] = [];
  for (let minute = 1; minute <= MINUTES; minute++) {
    readings.push(await readingOf(agent, minute));
    console.log(JSON.stringify(readings.at(-1)));
  }
  const settled = readings.filter(({ minute }) => minute > SETTLES_MIN);
  const rows = [
    growthOf("resident memory", settled, ({ resident }) => resident),
    growthOf("working set", settled, ({ workingSet }) => workingSet),
  ];
  return `## An hour with the same VMs

An agent with the status port and the spool on disk reads ${DOMAINS} simulated domains every second for ${MINUTES} minutes: ${agent.cycles()} cycles
were delivered. Growth is the slope of the best-fit line through the means of the last ${MINUTES - SETTLES_MIN} minutes.

${circumstances(now(), "growth")}

${table(["what", "at first", "at last", "growth", "at most", ""], rows)}`;
}

async function readingOf({ pid, group }: FormAgent, minute: number): Promise<Reading> {
  const readings: Reading[] = [];
  for (let reading = 0; reading < READINGS; reading++) {
    await setTimeout(60_000 / READINGS);
    readings.push({ minute, resident: residentMiB(pid).now, workingSet: workingSetMiB(pid, group) });
  }
  const mean = (of: (reading: Reading) => number): number =>
    readings.reduce((sum, reading) => sum + of(reading), 0) / readings.length;
  return { minute, resident: mean(({ resident }) => resident), workingSet: mean(({ workingSet }) => workingSet) };
}

function growthOf(what: string, readings: readonly Reading[], of: (reading: Reading) => number): string[] {
  const line = bestLine(readings.map((reading) => [reading.minute, of(reading)]));
  const first = line.at(readings[0]?.minute ?? 0);
  const last = line.at(readings.at(-1)?.minute ?? 0);
  const growth = last - first;
  const verdict = growth <= AT_MOST_MIB ? "met" : "**not met**";
  return [what, ...[first, last, growth, AT_MOST_MIB].map((value) => `${fixed(value, 2)} MiB`), verdict];
}
