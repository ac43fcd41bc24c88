import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import { freePort, until } from "../../test/integration/support/process.ts";
import type { Attack, LauncherAttack } from "./attack.ts";
import { Child } from "./child.ts";
import { Cluster } from "./cluster.ts";
import { LimitedAgent } from "./limited-agent.ts";
import { honestVms, hostileVms, INTERVAL_MS } from "./plan.ts";
import { longestHealth, longestLag, readLag, readPages } from "./port-probe.ts";
import { endOf, SampleLedger, windowOf, type HostileFigures, type SampleFigures } from "./sample-ledger.ts";
import { Target } from "./target.ts";
import { isUnprintable } from "./unprintable.ts";

export interface RunSettings {
  /** The checkout whose bundle runs. */
  readonly checkout: string;
  /** Undefined for a run without attackers. */
  readonly attack: Attack | undefined;
  readonly attackers: number;
  readonly warmUpS: number;
  readonly seconds: number;
}

/** What was measured in one run. A value that could not be measured is undefined. */
export interface RunFigures {
  readonly samples: SampleFigures;
  readonly hostile: HostileFigures;
  /** Seconds from the start of the attack to the end of the agent, and how it ended. */
  readonly death: { readonly afterS: number; readonly how: string } | undefined;
  readonly peakMiB: number | undefined;
  /** Infinity: an answer of /healthz did not come in time or was not 200. */
  readonly healthMs: number | undefined;
  /** In seconds, a bound of the agent's histogram. */
  readonly lag: string | undefined;
  /** CPU time of the agent, in milliseconds for each second. */
  readonly cpuMsPerS: number | undefined;
  /** Lines of the agent's log in the minute that has most. */
  readonly logLines: number;
  /** Log lines and reports with a character that a terminal obeys. */
  readonly unprintable: number;
  readonly seconds: number;
  /** Connections between the agent and the attackers. */
  readonly connections: number | undefined;
  readonly inCgroup: boolean;
}

/** The time that lines of the last cycle have to arrive, and those that were queued while the target was away. */
const ARRIVAL_MS = 6_000;
const BACKLOG_MS = 30_000;
const CHECK_MS = 250;

/** Runs an agent with 20 honest launchers, and with attackers after a while without them. Disposes everything. */
export async function measure(settings: RunSettings, owner: AsyncDisposableStack): Promise<RunFigures> {
  // The owner disposes it, too, if the whole benchmark is interrupted.
  const resources = owner.use(new AsyncDisposableStack());
  try {
    return await run(settings, resources);
  } finally {
    await resources.disposeAsync();
  }
}

async function run(settings: RunSettings, resources: AsyncDisposableStack): Promise<RunFigures> {
  const directory = await mkdtemp(path.join(tmpdir(), "h-"));
  resources.defer(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));
  // Short, because the path of a socket has at most 107 bytes.
  const podsDir = path.join(directory, "p");
  const ledger = new SampleLedger();
  const target = resources.use(
    await Target.start((lines) => {
      ledger.take(lines);
    }),
  );
  const cluster = await Cluster.start({ directory, targetUrl: target.url }, resources);
  for (const vm of honestVms()) cluster.createVmi(vm);
  resources.use(await Child.start("benchmarks/hostile/honest-process.ts", [podsDir]));
  const port = await freePort();
  const agent = resources.use(await LimitedAgent.start({ checkout: settings.checkout, directory, podsDir, port }));
  await until(() => Promise.resolve(ledger.complete || undefined), "a sample of each honest VM");
  await setTimeout(settings.warmUpS * 1_000);
  return attackAgent(settings, { agent, cluster, ledger, podsDir, port, target }, resources);
}

interface Stage {
  readonly agent: LimitedAgent;
  readonly cluster: Cluster;
  readonly ledger: SampleLedger;
  readonly podsDir: string;
  readonly port: number;
  readonly target: Target;
}

async function attackAgent(settings: RunSettings, stage: Stage, resources: AsyncDisposableStack): Promise<RunFigures> {
  const { seconds } = settings;
  const { agent, ledger, port, target } = stage;
  const lagBefore = await readLag(port);
  const tickMs = ledger.latestMs;
  agent.resetPeak();
  const attackers = await startAttack(settings, stage, resources);
  const window = windowOf((seconds * 1_000) / INTERVAL_MS, Date.now(), tickMs);
  const [begunMs, cpuBefore] = [performance.now(), agent.cpuMs];
  const stop = new AbortController();
  const longest = longestHealth(port, stop.signal);
  const reading = readPages(port, stop.signal);
  await waitFor(() => agent.death !== undefined, endOf(window) - window.fromMs);
  const cpuMsPerS = (agent.cpuMs - cpuBefore) / ((performance.now() - begunMs) / 1_000);
  await attackers?.[Symbol.asyncDispose]();
  stop.abort();
  const [healthMs] = await Promise.all([longest, reading]);
  const lagAfter = await readLag(port);
  const waitMs = target.away ? BACKLOG_MS : ARRIVAL_MS;
  target.away = false;
  await waitFor(() => agent.death !== undefined || isComplete(ledger.samples(window)), waitMs);
  const { death, peakMiB, inCgroup } = agent;
  const log = agent.log.filter(({ atMs }) => atMs >= begunMs);
  return {
    samples: ledger.samples(window),
    hostile: ledger.hostile,
    death: death && { afterS: (death.atMs - begunMs) / 1_000, how: death.how },
    peakMiB: Number.isNaN(peakMiB) ? undefined : peakMiB,
    // An agent that ends does not answer, which is not a slow answer.
    healthMs: death === undefined ? healthMs : undefined,
    lag: lagBefore && lagAfter && longestLag(lagBefore, lagAfter),
    cpuMsPerS: death === undefined ? cpuMsPerS : undefined,
    logLines: mostInAMinute(log.map(({ atMs }) => atMs)),
    unprintable: log.filter(({ text }) => isUnprintable(text)).length + (isUnprintable(stage.cluster.report) ? 1 : 0),
    seconds,
    connections: attackers?.count,
    inCgroup,
  };
}

/** Creates the attackers' VMIs, and resolves to their process when it is ready. */
async function startAttack(
  { attack, attackers }: RunSettings,
  { cluster, podsDir, port, target }: Stage,
  resources: AsyncDisposableStack,
): Promise<Child | undefined> {
  if (attack === undefined) return undefined;
  const { stranger = false, targetAway = false }: Partial<LauncherAttack> = "behave" in attack ? attack : {};
  if ("behave" in attack && !stranger) for (const vm of hostileVms(attackers)) cluster.createVmi(vm);
  const args = [attack.name, String(attackers), podsDir, String(port)];
  const child = resources.use(await Child.start("benchmarks/hostile/hostile-process.ts", args));
  target.away = targetAway;
  return child;
}

function isComplete({ due, taken }: SampleFigures): boolean {
  return taken === due;
}

async function waitFor(holds: () => boolean, atMostMs: number): Promise<void> {
  const end = performance.now() + atMostMs;
  while (!holds() && performance.now() < end) await setTimeout(CHECK_MS);
}

/** Returns how many of the ascending times are within the minute that has most of them. */
function mostInAMinute(times: readonly number[]): number {
  let most = 0;
  let first = 0;
  for (const [index, time] of times.entries()) {
    while (time - (times[first] ?? time) > 60_000) first++;
    most = Math.max(most, index - first + 1);
  }
  return most;
}
