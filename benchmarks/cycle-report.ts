import type { CallCost } from "./call-costs.ts";
import type { CodecCost } from "./codec.ts";
import { AGENT_FORMS, CYCLE_ROUNDS, CYCLES, type CycleCost } from "./cycle-costs.ts";
import type { CycleWall } from "./cycle-wall.ts";
import { INTERVAL } from "./contender.ts";
import type { Circumstances } from "./machine.ts";
import { circumstances, fixed, levelTable, table, type ServiceLevel } from "./markdown.ts";
import { SHAPE, type NodeUsage } from "./node.ts";

interface Figures extends Circumstances {
  readonly programs: readonly CycleCost[];
  readonly idle: NodeUsage;
  readonly wall: CycleWall;
  readonly calls: readonly CallCost[];
  readonly codec: readonly CodecCost[];
}

const LEVELS: readonly ServiceLevel<Figures>[] = [
  {
    what: "whole-node CPU of a cycle, against Telegraf on the same socket",
    limit: 0.5,
    unit: "x",
    value: ({ programs }) => of(programs, AGENT_FORMS.default.name).total / of(programs, "Telegraf").total,
  },
  {
    what: "the same with the eight families without further calls to QEMUs",
    limit: 0.55,
    unit: "x",
    value: ({ programs }) => of(programs, AGENT_FORMS.cheap.name).total / of(programs, "Telegraf").total,
  },
  {
    what: "the agent's own CPU in it",
    limit: 7,
    unit: "ms",
    value: ({ programs }) => of(programs, AGENT_FORMS.default.name).own,
  },
  {
    what: "commands to QEMUs that the eight families without further calls to them add to a cycle",
    limit: 0,
    unit: "commands",
    value: ({ programs }) =>
      of(programs, AGENT_FORMS.cheap.name).qmpCommands - of(programs, AGENT_FORMS.default.name).qmpCommands,
  },
  {
    what: "the agent's own CPU with these families, against without them",
    limit: 1.4,
    unit: "x",
    value: ({ programs }) => of(programs, AGENT_FORMS.cheap.name).own / of(programs, AGENT_FORMS.default.name).own,
  },
  {
    what: "whole-node CPU that `Vcpus` every 30 s adds to a cycle, against that of Telegraf",
    limit: 0.05,
    unit: "x",
    value: ({ programs }) =>
      (of(programs, AGENT_FORMS.vcpus.name).total - of(programs, AGENT_FORMS.default.name).total) /
      of(programs, "Telegraf").total,
  },
  {
    what: "whole-node CPU of a cycle with all families but `Raw`, against Telegraf",
    limit: 1,
    unit: "x",
    value: ({ programs }) => of(programs, AGENT_FORMS.all.name).total / of(programs, "Telegraf").total,
  },
  {
    what: "wall time of a cycle, against the calls that it makes",
    limit: 1.05,
    unit: "x",
    value: ({ wall }) => wall.cycle / wall.calls,
  },
  {
    what: "resident memory of the agent, the bundle",
    limit: 72,
    unit: "MiB",
    value: ({ programs }) => of(programs, AGENT_FORMS.default.name).resident,
  },
];

/** Returns the part of docs/benchmarks.md about cycles. */
export function cycleReport(figures: Figures): string {
  return `## What a cycle costs the node

Measured on a real libvirtd with ${SHAPE.domains} paused guests of ${SHAPE.vcpus} vCPUs, ${SHAPE.nics} NICs and ${SHAPE.disks} disks. A
paused guest uses no CPU by itself, so all CPU of libvirtd and of the QEMU processes is spent on answers.

${circumstances(figures, "cycle")}

### Service levels

${levelTable(LEVELS, figures)}

### A cycle of each program

Milliseconds of CPU for one cycle, of all processes that take part. The agent and Telegraf run by themselves with an interval
of ${INTERVAL} and deliver to a server that only counts; ${CYCLES} cycles a round from delivery to delivery, ${CYCLE_ROUNDS} rounds. The Python
programs write the agent's four measurements and start a cycle on command. Telegraf writes the lines of its own input. A round of the
agent with \`Vcpus\` has six cycles, one of them with that family. QMP is the number of commands that all QEMUs together
get in a cycle, from libvirtd's log in cycles of their own.

${table(
  [
    "program",
    "own",
    "libvirtd",
    "QEMUs",
    "whole node",
    "against Telegraf",
    "memory MiB (peak)",
    "lines / fields",
    "QMP",
  ],
  figures.programs.map((cost) => [
    cost.name,
    fixed(cost.own),
    fixed(cost.libvirtd),
    fixed(cost.qemus),
    fixed(cost.total),
    `${fixed(cost.total / of(figures.programs, "Telegraf").total, 2)} x`,
    `${fixed(cost.resident)} (${fixed(cost.peak)})`,
    `${fixed(cost.lines, 0)} / ${fixed(cost.fields, 0)}`,
    fixed(cost.qmpCommands),
  ]),
)}

Without any program, libvirtd used ${fixed(figures.idle.libvirtd, 2)} ms a second and the QEMUs ${fixed(figures.idle.qemus, 2)} ms.

Most of the agent's memory is Node itself: the same Node with an empty program takes about 45 MiB, most of it pages of its
binary, which all Node processes of the machine share. The calls decide what a cycle costs, not the program that makes them: the
Python program with one bulk call of all groups needs less CPU itself than the agent, but costs the node more.

### Wall time

From the first call to compressed lines a cycle took ${fixed(figures.wall.cycle)} ms. The same calls alone, made by the
same client and in turns with the cycles, took ${fixed(figures.wall.calls)} ms.

### What each call costs

Milliseconds for all ${SHAPE.domains} domains together; each call was measured alone.
[ADR 0011](adr/0011-cheapest-true-source.md) draws the conclusions.

${table(
  ["call", "wall", "libvirtd", "QEMUs", "CPU together"],
  figures.calls.map(({ name, wall, libvirtd, qemus }) => [
    name,
    fixed(wall),
    fixed(libvirtd),
    fixed(qemus),
    fixed(libvirtd + qemus),
  ]),
)}

### From a reply to lines

CPU microseconds per domain, with garbage collection, from simulated replies. The baseline for decoding is a decoder that creates
every name again and checks nothing. The baseline for line protocol is the official InfluxDB client's \`Point\`, which rounds large
integers.

${table(
  ["step", "domains", "µs per domain", "baseline", "ratio"],
  figures.codec.map(({ step, domains, ours, baseline }) => [
    step,
    domains,
    fixed(ours),
    baseline === undefined ? "" : fixed(baseline),
    baseline === undefined ? "" : `${fixed(ours / baseline, 2)} x`,
  ]),
)}
`;
}

function of(programs: readonly CycleCost[], name: string): CycleCost {
  const found = programs.find((program) => program.name.startsWith(name));
  if (found === undefined) throw new Error(`${name} was not measured`);
  return found;
}
