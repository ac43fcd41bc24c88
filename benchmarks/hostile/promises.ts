import { LAUNCHER_BUDGET } from "../../src/budget.ts";
import type { Attack } from "./attack.ts";
import type { RunFigures } from "./measure.ts";
import { INTERVAL_MS } from "./plan.ts";

export const MAX_RISE_MIB = 16;
export const MAX_HEALTH_MS = 1_000;
export const MAX_CPU_TIMES = 2;
export const MAX_LOG_LINES = 60;

/** Returns by how much the memory of a run is above that of the run without attackers, in MiB. */
export function riseOf(run: RunFigures, quiet: RunFigures): number | undefined {
  return run.peakMiB === undefined || quiet.peakMiB === undefined ? undefined : run.peakMiB - quiet.peakMiB;
}

/** Returns the CPU time of a run, divided by that of the run without attackers. */
export function cpuTimes(run: RunFigures, quiet: RunFigures): number | undefined {
  return run.cpuMsPerS === undefined || quiet.cpuMsPerS === undefined ? undefined : run.cpuMsPerS / quiet.cpuMsPerS;
}

/** Who attacks in a run. */
export interface Attackers {
  readonly attack: Attack | undefined;
  readonly attackers: number;
}

/** Returns the promises that a run breaks, each as a sentence. `quiet` is the run without attackers. */
export function brokenPromises(
  run: RunFigures,
  quiet: RunFigures,
  { attack, attackers }: Attackers,
): readonly string[] {
  const { samples, hostile, death, healthMs, logLines } = run;
  const cycles = run.seconds / (INTERVAL_MS / 1_000) + 1;
  const lines = LAUNCHER_BUDGET.lines * cycles * attackers;
  const series = LAUNCHER_BUDGET.newSeries * attackers;
  const [rise, cpu] = [riseOf(run, quiet), cpuTimes(run, quiet)];
  return [
    ...(death === undefined ? [] : [`the agent ended after ${death.afterS.toFixed(0)} s (${death.how})`]),
    ...(samples.taken === samples.due
      ? []
      : [`${samples.due - samples.taken} of ${samples.due} samples of honest VMs are missing or late`]),
    ...(hostile.forged === 0 ? [] : [`${hostile.forged} lines have the name or the UUID of another VM`]),
    ...above("the memory of the agent rises by", rise, MAX_RISE_MIB, "MiB"),
    ...(death === undefined ? above("the longest answer of /healthz takes", healthMs, MAX_HEALTH_MS, "ms") : []),
    ...above("the CPU time of the agent is", cpu, MAX_CPU_TIMES, "times that without attackers"),
    ...above("the attackers have", hostile.lines, lines, "lines"),
    ...above("the attackers have", hostile.series, series, "series"),
    ...above("in log and report there are", run.unprintable, 0, "texts with control characters"),
    ...missedContact(run, attack),
    ...above("the log has", logLines, MAX_LOG_LINES, "lines in a minute"),
  ];
}

/** A run in which the attackers did not meet the agent shows nothing. The agent must not open the socket of a stranger. */
function missedContact({ connections }: RunFigures, attack: Attack | undefined): readonly string[] {
  if (attack === undefined || "fill" in attack || ("behave" in attack && attack.unreached === true)) return [];
  if ("behave" in attack && attack.stranger === true)
    return connections === 0 ? [] : ["the agent opens the socket of a pod that no VMI lists"];
  return connections === 0 ? ["the agent and the attackers have no connection, so this shows nothing"] : [];
}

function above(what: string, value: number | undefined, limit: number, unit: string): readonly string[] {
  if (value === undefined || value <= limit) return [];
  const measured = Number.isFinite(value) ? value.toFixed(Number.isInteger(value) ? 0 : 1) : "too many";
  return [`${what} ${measured} ${unit}, more than ${limit}`];
}
