import { setTimeout } from "node:timers/promises";
import { startAgent } from "./agent.ts";
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
}

export const CYCLES = 3;
export const CYCLE_ROUNDS = 8;
const IDLE_S = 5;

/** Measures whole cycles of every program, with delivery, in turns. `idle` is a second without programs. */
export async function measureCycleCosts(
  node: BenchNode,
  resources: AsyncDisposableStack,
): Promise<{ readonly programs: readonly CycleCost[]; readonly idle: NodeUsage }> {
  const contenders: Contender[] = [];
  for (const start of [
    () => startAgent(node.socket),
    () => startTelegraf(node.socket),
    () => startPython(node.socket, "per-device"),
    () => startPython(node.socket, "bulk-all"),
    () => startPython(node.socket, "bulk-five"),
  ]) {
    contenders.push(resources.use(await start()));
  }
  const idle = await idleUsage(node);
  const rounds = await interleave(contenders, CYCLE_ROUNDS, (contender) => usageOfCycles(node, contender));
  const programs = [...rounds].map(([{ name, pid, deliveries }, samples]): CycleCost => {
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
    };
  });
  return { programs, idle };
}

async function usageOfCycles(node: BenchNode, contender: Contender): Promise<CycleUsage> {
  const { pid, deliveries } = contender;
  await node.rest();
  const readings: { own: number; node: NodeUsage; cycles: number }[] = [];
  const read = (): void =>
    void readings.push({ own: cpuMs(pid), node: node.usage(), cycles: deliveries.totals.cycles });
  await contender.work(async () => {
    // From delivery to delivery, so that whole cycles are counted.
    await deliveries.next(1);
    read();
    await deliveries.next(CYCLES);
    read();
  });
  const [before, after] = readings;
  if (before === undefined || after === undefined) throw new Error("nothing was measured");
  const cycles = after.cycles - before.cycles;
  return { own: (after.own - before.own) / cycles, ...used(before.node, after.node, cycles) };
}

async function idleUsage(node: BenchNode): Promise<NodeUsage> {
  await node.rest();
  const before = node.usage();
  await setTimeout(IDLE_S * 1000);
  return used(before, node.usage(), IDLE_S);
}
