import type { CallCost } from "./call-costs.ts";
import type { CodecCost } from "./codec.ts";
import { CYCLE_ROUNDS, CYCLES, type CycleCost } from "./cycle-costs.ts";
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
    limit: 0.6,
    unit: "x",
    value: ({ programs }) => of(programs, "agent").total / of(programs, "Telegraf").total,
  },
  { what: "the agent's own CPU in it", limit: 10, unit: "ms", value: ({ programs }) => of(programs, "agent").own },
  {
    what: "wall time of a cycle, against the calls that it makes",
    limit: 1.05,
    unit: "x",
    value: ({ wall }) => wall.cycle / wall.calls,
  },
  {
    what: "resident memory of the agent, the bundle",
    limit: 80,
    unit: "MiB",
    value: ({ programs }) => of(programs, "agent").resident,
  },
];

/** The part of docs/benchmarks.md about cycles. */
export function cycleReport(figures: Figures): string {
  return `## What a cycle costs the node

Measured on a real libvirtd with ${SHAPE.domains} paused guests of ${SHAPE.vcpus} vCPUs, ${SHAPE.nics} NICs and ${SHAPE.disks} disks. A
paused guest uses nothing by itself, so all CPU of libvirtd and of the QEMU processes is spent on answering.

${circumstances(figures, "cycle")}

### Service levels

${levelTable(LEVELS, figures)}

### A cycle of each program

Milliseconds of CPU for one cycle, of everybody who works for it. The agent and Telegraf run by themselves with an interval
of ${INTERVAL} and deliver to an InfluxDB that only counts; ${CYCLES} cycles a round from delivery to delivery, ${CYCLE_ROUNDS} rounds. The Python
programs write the agent's four measurements and are told when to begin. Telegraf writes other lines, as its input has them.

${table(
  ["program", "own", "libvirtd", "QEMUs", "whole node", "against Telegraf", "memory MiB (peak)", "lines / fields"],
  figures.programs.map((cost) => [
    cost.name,
    fixed(cost.own),
    fixed(cost.libvirtd),
    fixed(cost.qemus),
    fixed(cost.total),
    `${fixed(cost.total / of(figures.programs, "Telegraf").total, 2)} x`,
    `${fixed(cost.resident)} (${fixed(cost.peak)})`,
    `${fixed(cost.lines, 0)} / ${fixed(cost.fields, 0)}`,
  ]),
)}

Nobody asking, libvirtd used ${fixed(figures.idle.libvirtd, 2)} ms a second and the QEMUs ${fixed(figures.idle.qemus, 2)} ms.

Most of the agent's memory is Node itself: the same Node with an empty program takes about 45 MiB, most of it pages of its
binary that are shared with every other Node of the machine. What is asked of libvirt decides what a cycle costs, not who
asks: the Python program with one bulk call needs the least CPU itself and costs the node more than the agent.

### Wall time

From the first call to compressed lines a cycle took ${fixed(figures.wall.cycle)} ms; the same calls alone, made by the
same client in turns with it, ${fixed(figures.wall.calls)} ms.

### What each call costs

Milliseconds for all ${SHAPE.domains} domains together, called one by one without anything else.
[ADR 0011](adr/0011-cheapest-true-source.md) says what follows.

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

CPU microseconds per domain, garbage collection included, from simulated replies. The other way is a decoder that makes
every name anew and checks nothing, and the official InfluxDB client's \`Point\`, which rounds large integers.

${table(
  ["step", "domains", "µs per domain", "the other way", "ratio"],
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
  const found = programs.find((program) => program.name.includes(name));
  if (found === undefined) throw new Error(`${name} was not measured`);
  return found;
}
