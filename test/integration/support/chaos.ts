import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SimulatedHost } from "../../../src/simulator/simulated-host.ts";
import { SimulatorServer } from "../../../src/simulator/server.ts";
import { mulberry32 } from "../../../src/simulator/synthetic-domain.ts";
import { FAULT_KINDS } from "../../support/fault-deck.ts";
import { FaultyProxy } from "../../support/faulty-proxy.ts";
import { RunningAgent, target1, target2, type AgentRun } from "./agent.ts";
import { judge, type Examined, type Verdict } from "./chaos-verdict.ts";
import { Influxd1 } from "./influxd1.ts";
import { Influxd2 } from "./influxd2.ts";
import { until } from "./process.ts";
import { backlogOf, writtenTo, type Written } from "./written-lines.ts";

export interface ChaosOptions {
  readonly seed: number;
  /** Shortest duration; it is longer if a fault has not happened to every target yet. */
  readonly minutes: number;
  /** Receives progress messages. */
  readonly say?: (text: string) => void;
}

export interface ChaosReport {
  readonly seed: number;
  readonly seconds: number;
  readonly kills: number;
  /** How often two agents used the spool directory at the same time. */
  readonly overlaps: number;
  readonly written: Written;
  readonly targets: readonly TargetReport[];
}

export interface TargetReport extends Verdict {
  readonly name: string;
  /** Events between it and the agent. */
  readonly events: FaultyProxy["counts"];
  /** Written lines that it must reject. */
  readonly badLines: number;
  /** Lines that were queued when the faults ended. */
  readonly waiting: number;
}

interface Live extends Examined {
  readonly proxy: FaultyProxy;
  readonly settings: string;
}

/** A port without a listener, so that the spool keeps all lines. */
const DEAD = `    - name: dead
      url: http://127.0.0.1:9
      tls: {mode: Plaintext}
      v1: {database: telemetry}
`;
const DOMAINS = 60;
const SHAPE = { nics: 2, disks: 1 };
/** Range of an agent's life in milliseconds: some are killed during their start. */
const [SHORTEST_LIFE, LONGEST_LIFE] = [100, 10_000];
/** Every fourth is killed only after the next has started, as in a rolling update. */
const OVERLAP = 4;
const LONGEST_OVERLAP = 3_000;
const SETTINGS = "      timeout: 1s\n      flush: {interval: 200ms}\n      maxDrainLinesPerSecond: 10000\n";
/** About two frames. */
const MAX_BODY_BYTES = 40_000;
/** Requests without a fault for each fault. InfluxDB 2 stores nothing of a batch with a bad line; to find it takes twenty. */
const PASSES = { influx1: 3, influx2: 9 };
const PATIENCE_S = 180;

/** About every ten seconds, one line that the servers cannot parse, and one with a field of another type. */
const isBad = (line: string): boolean => /^vm_totals,[^ ]*name=vm-007[, ].* \d{9}0\d{9}$/.test(line);
const isConflicting = (line: string): boolean => /^vm_totals,[^ ]*name=vm-008[, ].* \d{9}5\d{9}$/.test(line);

/**
 * Kills the agent repeatedly while its connections to the targets fail in all ways. Then the agent delivers its queue, and
 * the lines of the spool are compared with the lines of the targets.
 */
export async function runChaos(options: ChaosOptions, resources: AsyncDisposableStack): Promise<ChaosReport> {
  const directory = await mkdtemp(path.join(tmpdir(), "chaos-"));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  const socket = path.join(directory, "libvirt-sock");
  const host = SimulatedHost.of(DOMAINS, { ...SHAPE, seed: options.seed });
  const libvirt = resources.use(await SimulatorServer.start(socket, host));
  const spoolDir = path.join(directory, "spool");
  const { live, secrets } = await startTargets(resources, options.seed);
  const run: AgentRun = {
    targets: [...live.map(({ settings }) => settings), DEAD].join(""),
    sockets: [socket],
    secrets,
    args: ["--spool-dir", spoolDir],
  };
  const start = async (): Promise<RunningAgent> => {
    const agent = await RunningAgent.start(run);
    if (!resources.disposed) return resources.use(agent);
    await kill(agent);
    throw new Error("the chaos was ended");
  };
  const killing = await killAgain(start, live, options);
  const waiting = new Map(live.map(({ name }) => [name, 0]));
  for (const { name, proxy } of live) {
    waiting.set(name, await backlogOf(spoolDir, name));
    proxy.calm();
  }
  await deliverTheRest(start, live, { libvirt, spoolDir });
  const written = await writtenTo(spoolDir);
  const targets = [];
  for (const target of live) {
    const verdict = await judge(target, written.lines, spoolDir);
    const { name, proxy } = target;
    const badLines = written.lines.filter((line) => target.isBad(line) || target.isConflicting(line)).length;
    targets.push({ ...verdict, name, badLines, events: proxy.counts, waiting: waiting.get(name) ?? 0 });
  }
  return { seed: options.seed, ...killing, written, targets };
}

async function startTargets(
  resources: AsyncDisposableStack,
  seed: number,
): Promise<{ readonly live: readonly Live[]; readonly secrets: NonNullable<AgentRun["secrets"]> }> {
  const [influx1, influx2] = [resources.use(await Influxd1.start()), resources.use(await Influxd2.start())];
  const options = { maxBodyBytes: MAX_BODY_BYTES, isBad };
  const proxy1 = resources.use(await FaultyProxy.start(influx1.url, { ...options, seed, passes: PASSES.influx1 }));
  const proxy2 = resources.use(
    await FaultyProxy.start(influx2.url, { ...options, isConflicting, seed: seed + 1, passes: PASSES.influx2 }),
  );
  const live = [
    {
      name: "influx1",
      proxy: proxy1,
      settings: target1({ url: proxy1.url, database: influx1.database }, SETTINGS),
      query: (q: string) => influx1.query(q),
      isBad,
      // For a batch with lines of both kinds it names only those of one kind.
      isConflicting: () => false,
    },
    {
      name: "influx2",
      proxy: proxy2,
      settings: target2({ url: proxy2.url, org: influx2.org, bucket: influx2.bucket }, SETTINGS),
      query: (q: string) => influx2.query(q),
      isBad,
      isConflicting,
    },
  ];
  return { live, secrets: { influx2: { token: influx2.token } } };
}

async function killAgain(
  start: () => Promise<RunningAgent>,
  live: readonly Live[],
  { seed, minutes, say }: ChaosOptions,
): Promise<Pick<ChaosReport, "seconds" | "kills" | "overlaps">> {
  const random = mulberry32(seed);
  const began = performance.now();
  const secondsGone = (): number => Math.round((performance.now() - began) / 1_000);
  const isDone = (): boolean =>
    secondsGone() >= minutes * 60 && live.every(({ proxy }) => FAULT_KINDS.every((kind) => proxy.counts.has(kind)));
  let [kills, overlaps] = [0, 0];
  let agent = await start();
  for (; !isDone(); kills++) {
    if (secondsGone() > minutes * 60 + PATIENCE_S) throw new Error("not every kind of fault has happened");
    await survives(agent, SHORTEST_LIFE + random() * (LONGEST_LIFE - SHORTEST_LIFE));
    const overlapping = kills % OVERLAP === OVERLAP - 1;
    if (!overlapping) await kill(agent);
    const next = await start();
    if (overlapping) {
      overlaps++;
      await survives(next, random() * LONGEST_OVERLAP);
      await kill(agent);
    }
    agent = next;
    const accepted = live.map(({ name, proxy }) => `${name} accepted ${proxy.counts.get("taken") ?? 0} requests`);
    say?.(`${secondsGone()} s: killed ${kills + 1} times, ${accepted.join(", ")}`);
  }
  await kill(agent);
  return { seconds: secondsGone(), kills: kills + 1, overlaps };
}

async function kill(agent: RunningAgent): Promise<void> {
  agent.signal("SIGKILL");
  await agent.exit();
  await agent[Symbol.asyncDispose]();
}

async function survives(agent: RunningAgent, ms: number): Promise<void> {
  const died = await Promise.race([agent.exit().then(() => true), sleep(ms, false)]);
  if (died) throw new Error(`the agent ended by itself: ${agent.output}`);
}

/** Runs the agent a last time, with a normal shutdown. */
async function deliverTheRest(
  start: () => Promise<RunningAgent>,
  live: readonly Live[],
  { libvirt, spoolDir }: { readonly libvirt: SimulatorServer; readonly spoolDir: string },
): Promise<void> {
  const agent = await start();
  await agent.run(3);
  await libvirt[Symbol.asyncDispose]();
  const isDelivered = async (): Promise<true | undefined> => {
    for (const { name } of live) if ((await backlogOf(spoolDir, name)) > 0) return undefined;
    return true;
  };
  await until(isDelivered, "what waits to be delivered", PATIENCE_S * 1_000);
  const code = await agent.stop();
  if (code !== 0) throw new Error(`the agent ended with ${code}`);
}
