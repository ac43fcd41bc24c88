import { setTimeout } from "node:timers/promises";
import { FAMILY_NAMES, DEFAULT_FAMILIES, type Family } from "../src/contract.ts";
import { startAgent, type AgentForm } from "./agent.ts";
import type { Contender } from "./contender.ts";
import { used, type BenchNode, type NodeUsage } from "./node.ts";
import { cpuMs, residentMiB } from "./process-usage.ts";
import { startPython } from "./python.ts";
import { interleave, median } from "./rounds.ts";
import { startTelegraf } from "./telegraf.ts";

/** CPU milliseconds of a cycle. */
interface CycleUsage extends NodeUsage {
  /** CPU of the program itself. */
  readonly own: number;
}

/** The cost of a program's cycle on the node. */
export interface CycleCost extends CycleUsage {
  readonly name: string;
  readonly total: number;
  /** MiB, after all rounds. */
  readonly resident: number;
  readonly peak: number;
  readonly lines: number;
  readonly fields: number;
  /** Commands that QEMUs got in a cycle. */
  readonly qmpCommands: number;
}

export const CYCLES = 3;
export const CYCLE_ROUNDS = 8;
const IDLE_S = 5;
/** Cycles of the default interval in the 30 seconds after which `Vcpus` comes again. */
const VCPUS_CYCLES = 6;
const CHEAP_FAMILIES: readonly Family[] = ["Disks", "Memory", "Status", "Cpu", "Events", "Jobs", "Info", "Agent"];

/** The agent with the default families, and with more. */
export const AGENT_FORMS = {
  default: { name: "kubevirt-telemetry agent" },
  cheap: { name: `agent with ${CHEAP_FAMILIES.join(", ")}`, families: [...DEFAULT_FAMILIES, ...CHEAP_FAMILIES] },
  vcpus: { name: "agent with Vcpus every 30 s", families: [...DEFAULT_FAMILIES, "Vcpus"], cycles: VCPUS_CYCLES },
  all: {
    name: "agent with all families but Raw",
    families: FAMILY_NAMES.filter((family) => family !== "Raw"),
    cycles: VCPUS_CYCLES,
  },
} as const satisfies Readonly<Record<string, AgentForm>>;

/** Measures whole cycles of every program, with delivery, in turns. `idle` is a second without programs. */
export async function measureCycleCosts(
  node: BenchNode,
  resources: AsyncDisposableStack,
): Promise<{ readonly programs: readonly CycleCost[]; readonly idle: NodeUsage }> {
  const contenders: Contender[] = [];
  for (const start of [
    ...Object.values(AGENT_FORMS).map((form) => () => startAgent(node.socket, form)),
    () => startTelegraf(node.socket),
    () => startPython(node.socket, "per-device"),
    () => startPython(node.socket, "bulk-all"),
    () => startPython(node.socket, "bulk-five"),
  ]) {
    contenders.push(resources.use(await start()));
  }
  const idle = await idleUsage(node);
  const rounds = await interleave(contenders, CYCLE_ROUNDS, (contender) => usageOfCycles(node, contender));
  const commands = new Map<Contender, number>();
  for (const contender of contenders) commands.set(contender, await qmpCommandsOfCycles(node, contender));
  const programs = [...rounds].map(([contender, samples]): CycleCost => {
    const { name, pid, deliveries } = contender;
    const { now, peak } = residentMiB(pid);
    const { cycles, lines, fields } = deliveries.totals;
    return {
      name,
      own: median(samples, ({ own }) => own),
      libvirtd: median(samples, ({ libvirtd }) => libvirtd),
      qemus: median(samples, ({ qemus }) => qemus),
      total: median(samples, ({ own, libvirtd, qemus }) => own + libvirtd + qemus),
      resident: now,
      peak,
      lines: lines / cycles,
      fields: fields / cycles,
      qmpCommands: commands.get(contender) ?? Number.NaN,
    };
  });
  return { programs, idle };
}

async function usageOfCycles(node: BenchNode, contender: Contender): Promise<CycleUsage> {
  const { pid, deliveries } = contender;
  await node.rest();
  const [before, after] = await aroundCycles(contender, () => ({
    own: cpuMs(pid),
    node: node.usage(),
    cycles: deliveries.totals.cycles,
  }));
  const cycles = after.cycles - before.cycles;
  return { own: (after.own - before.own) / cycles, ...used(before.node, after.node, cycles) };
}

/** Counts them in cycles of their own, because libvirtd writes each one to its log. */
async function qmpCommandsOfCycles(node: BenchNode, contender: Contender): Promise<number> {
  const { deliveries } = contender;
  await node.rest();
  const log = await node.logQmpCommands();
  const [before, after] = await aroundCycles(contender, () => ({
    commands: log.commands(),
    cycles: deliveries.totals.cycles,
  }));
  await log.end();
  return (after.commands - before.commands) / (after.cycles - before.cycles);
}

/** Resolves to two readings with the cycles of a round between them, from delivery to delivery, so that whole cycles are counted. */
async function aroundCycles<Reading>(contender: Contender, read: () => Reading): Promise<readonly [Reading, Reading]> {
  const { deliveries, cycles = CYCLES } = contender;
  const readings: Reading[] = [];
  await contender.work(async () => {
    await deliveries.next(1);
    readings.push(read());
    await deliveries.next(cycles);
    readings.push(read());
  });
  const [before, after] = readings;
  if (before === undefined || after === undefined) throw new Error("nothing was measured");
  return [before, after];
}

async function idleUsage(node: BenchNode): Promise<NodeUsage> {
  await node.rest();
  const before = node.usage();
  await setTimeout(IDLE_S * 1000);
  return used(before, node.usage(), IDLE_S);
}
