import { setTimeout } from "node:timers/promises";
import { FormStarter, type Checkout, type Form, type FormAgent } from "./forms.ts";
import { workingSetMiB } from "./memory-group.ts";
import { cpuMs, residentMiB } from "./process-usage.ts";
import { median } from "./rounds.ts";

/** What one agent costs. All agents run at the same time, so other load on the machine affects all of them. */
export interface FormCost extends Pick<FormAgent, "form" | "domains"> {
  /** Name of the checkout. */
  readonly checkout: string;
  /** CPU milliseconds of a cycle; of a second if the agent is idle. Median over the rounds. */
  readonly cpu: number;
  /** The mean of the rounds, which has the rare long garbage collections. */
  readonly mean: number;
  readonly residentMiB: number;
  readonly workingSetMiB: number;
}

export interface FormCase {
  readonly form: Form;
  readonly domains: number;
}

/** The default interval, and a short one that shortens the time until V8 has compiled everything. */
const INTERVALS = { measured: "5s", warmUp: "1s" };
export const ROUNDS = 12;
export const CYCLES = 2;
/** Cycles after which the agent is compared with itself, until it is not faster than before. */
const WARM_UP_CYCLES = 40;
const MAX_WARM_UPS = 6;
/** A cycle that is less than this faster than before the last warm-up does not get faster. */
const STEADY = 0.97;
const IDLE_S = 10;
const POLL_MS = 20;

/** Measures each case for each checkout, all at once. */
export async function measureForms(
  checkouts: readonly Checkout[],
  cases: readonly FormCase[],
  resources: AsyncDisposableStack,
): Promise<readonly FormCost[]> {
  const starter = new FormStarter(resources);
  const agents: FormAgent[] = [];
  for (const { form, domains } of cases)
    for (const checkout of checkouts) agents.push(await starter.start(checkout, form, domains, INTERVALS.warmUp));
  console.log(`# ${agents.length} agents run; first until V8 has compiled them`);
  await Promise.all(agents.map(warmUp));
  console.log("# measuring");
  return Promise.all(agents.map(measure));
}

async function warmUp(agent: FormAgent): Promise<void> {
  if (agent.form === "idle") return;
  let before = Number.POSITIVE_INFINITY;
  for (let run = 0; run < MAX_WARM_UPS; run++) {
    const cost = await cpuOfCycles(agent, WARM_UP_CYCLES);
    if (cost > before * STEADY) break;
    before = cost;
  }
  await agent.setInterval(INTERVALS.measured);
  await arrived(agent, CYCLES);
}

async function measure(agent: FormAgent): Promise<FormCost> {
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++)
    rounds.push(agent.form === "idle" ? await cpuOfSeconds(agent) : await cpuOfCycles(agent, CYCLES));
  const { checkout, form, domains, pid, group } = agent;
  return {
    checkout: checkout.name,
    form,
    domains,
    cpu: median(rounds, (cpu) => cpu),
    mean: rounds.reduce((sum, cpu) => sum + cpu, 0) / rounds.length,
    residentMiB: residentMiB(pid).now,
    workingSetMiB: workingSetMiB(pid, group),
  };
}

async function cpuOfCycles(agent: FormAgent, cycles: number): Promise<number> {
  await arrived(agent, 1);
  const [cpu, begun] = [cpuMs(agent.pid), agent.cycles()];
  await arrived(agent, cycles);
  return (cpuMs(agent.pid) - cpu) / (agent.cycles() - begun);
}

async function cpuOfSeconds({ pid }: FormAgent): Promise<number> {
  const cpu = cpuMs(pid);
  await setTimeout(IDLE_S * 1_000);
  return (cpuMs(pid) - cpu) / IDLE_S;
}

/** Resolves when the lines of this number of further cycles have arrived. */
async function arrived({ cycles }: FormAgent, further: number): Promise<void> {
  const wanted = cycles() + further;
  while (cycles() < wanted) await setTimeout(POLL_MS);
}
