import { circumstances, fixed, table, type Row } from "../markdown.ts";
import type { Circumstances } from "../machine.ts";
import type { Attack } from "./attack.ts";
import { LIMIT_MIB } from "./limited-agent.ts";
import type { RunFigures } from "./measure.ts";
import { HONEST, INTERVAL_MS } from "./plan.ts";
import {
  brokenPromises,
  cpuTimes,
  MAX_CPU_TIMES,
  MAX_HEALTH_MS,
  MAX_LOG_LINES,
  MAX_RISE_MIB,
  riseOf,
  type Attackers,
} from "./promises.ts";

/** The runs of one checkout. */
export interface Version {
  readonly name: "before" | "now";
  /** The commit of the checkout. */
  readonly commit: string;
}

export interface MeasuredRun {
  readonly attack: Attack;
  readonly attackers: number;
  readonly version: Version;
  readonly figures: RunFigures;
}

export interface HostileFigures {
  /** The run of each version without attackers. */
  readonly quiet: ReadonlyMap<Version, RunFigures>;
  readonly runs: readonly MeasuredRun[];
  readonly seconds: number;
}

const HEAD: Row = [
  "attack",
  "attackers",
  "",
  "samples of honest VMs",
  "worst gap",
  "peak memory (rise)",
  "longest /healthz",
  "event loop delay",
  "CPU",
  "hostile lines / series",
  "log lines in a minute",
];

/** Returns docs/hostile.md. */
export function hostileReport({ quiet, runs, seconds }: HostileFigures, about: Circumstances): string {
  const attacks = [...new Set(runs.map(({ attack }) => attack))];
  const versions = [...quiet.keys()];
  const inCgroup = [...quiet.values()].every((figures) => figures.inCgroup);
  return `# An agent among hostile launchers

<!-- Written by \`npm run hostile\`; change the files in benchmarks/hostile, not this file. -->

This measures what launchers and clients of the status port can do to an agent that is in their way. Every run starts an agent with
${HONEST.count} honest launchers, an interval of ${INTERVAL_MS / 1_000} s and a limit of ${LIMIT_MIB} MiB of memory${inCgroup ? " in a cgroup" : ", which this benchmark watches because it could not make a cgroup"}. Then the attackers come, for ${seconds} s.
Every hostile launcher has a VM of its own, unless the attack says otherwise. Meanwhile a reader asks
for the status page and the metrics every 5 s. The target, the API server and the libvirt daemons are fakes on the same machine.

${circumstances(about, "hostile").replace("npm run bench -- hostile", "npm run hostile")}
${versions.map(({ name, commit }) => `- ${name}: commit ${commit}`).join("\n")}

The promises: every sample of an honest VM is taken, at most one interval late. The agent's memory rises by at most ${MAX_RISE_MIB} MiB,
/healthz answers within ${MAX_HEALTH_MS / 1_000} s, and the CPU time is at most ${MAX_CPU_TIMES} times that of the run without attackers. The lines and series of
hostile VMs are within [their budget](../src/budget.ts), and the log has at most ${MAX_LOG_LINES} lines in a minute and, like the report, no control characters. A broken one is bold.

${table(HEAD, [
  ...versions.map((version) => quietRow(version, quiet.get(version))),
  ...runs.map((run) => runRow(run, quiet.get(run.version))),
])}

The event loop delay is a bound of the agent's own histogram of late timers. \`-\`: it could not be measured. The
memory is resident memory with the files that are mapped.

## The attacks

${table(
  ["attack", "what the attackers do"],
  attacks.map(({ name, what }) => [name, what]),
)}
`;
}

/** Returns the broken promises of the present version, each as a sentence with the name of the attack. */
export function brokenNow({ quiet, runs }: HostileFigures): readonly string[] {
  const [, without] = [...quiet].find(([{ name }]) => name === "now") ?? [];
  if (without === undefined) return [];
  // If these break a promise, the machine is too busy to measure.
  const alone = brokenPromises(without, without, { attack: undefined, attackers: 0 });
  const attacked = runs.flatMap(({ attack, attackers, version, figures }) => {
    if (version.name !== "now") return [];
    return brokenPromises(figures, without, { attack, attackers }).map(
      (sentence) => `${attack.name}, ${attackers}: ${sentence}`,
    );
  });
  return [...alone.map((sentence) => `without attackers: ${sentence}`), ...attacked];
}

function quietRow({ name }: Version, figures: RunFigures | undefined): Row {
  return figures === undefined
    ? []
    : ["without attackers", 0, name, ...cells(figures, figures, { attack: undefined, attackers: 0 })];
}

function runRow({ version, figures, ...attackers }: MeasuredRun, quiet: RunFigures | undefined): Row {
  if (quiet === undefined) return [];
  return [attackers.attack.name, attackers.attackers, version.name, ...cells(figures, quiet, attackers)];
}

function cells(run: RunFigures, quiet: RunFigures, attackers: Attackers): Row {
  const broken = brokenPromises(run, quiet, attackers);
  const mark = (text: string, about: string): string =>
    broken.some((sentence) => sentence.includes(about)) ? `**${text}**` : text;
  const { samples, hostile, death, peakMiB, healthMs, lag, logLines } = run;
  const [rise, cpu] = [riseOf(run, quiet), cpuTimes(run, quiet)];
  const dead = death === undefined ? "" : `, dead after ${fixed(death.afterS, 0)} s (${death.how})`;
  const forged = hostile.forged === 0 ? "" : `, ${hostile.forged} forged`;
  const memory =
    peakMiB === undefined ? "-" : `${fixed(peakMiB, 0)} MiB${rise === undefined ? "" : ` (${signed(rise)})`}`;
  return [
    mark(`${samples.taken} of ${samples.due}${dead}`, death === undefined ? "samples" : "ended"),
    death === undefined ? `${fixed(samples.worstGapMs / 1_000)} s` : "-",
    mark(memory, "memory"),
    mark(healthMs === undefined ? "-" : milliseconds(healthMs), "/healthz"),
    lag === undefined ? "-" : lag === "+Inf" ? "over 5 s" : `up to ${Number(lag) * 1_000} ms`,
    mark(cpu === undefined ? "-" : `${fixed(cpu)} x`, "CPU"),
    mark(`${hostile.lines} / ${hostile.series}${forged}`, hostile.forged > 0 ? "UUID" : "attackers have"),
    mark(`${logLines}${run.unprintable === 0 ? "" : `, ${run.unprintable} unprintable`}`, "log"),
  ];
}

function milliseconds(value: number): string {
  return Number.isFinite(value) ? `${fixed(value, 0)} ms` : "failed";
}

function signed(value: number): string {
  return `${value < 0 ? "" : "+"}${fixed(value, 0)}`;
}
