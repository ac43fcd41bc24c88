import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { FAULT_KINDS, type FaultKind } from "../test/support/fault-deck.ts";
import { FaultyProxy, type FaultyProxyOptions } from "../test/support/faulty-proxy.ts";
import { Influxd2 } from "../test/integration/support/influxd2.ts";
import { end } from "../test/integration/support/process.ts";
import { numberOf, type LossOrder } from "./loss-lines.ts";

export const FAULTS_S = 8;
export const CALM_S = 4;
const LIFE_MS = 2_500;
/** After this time without a new line, the rest counts as lost. */
export const QUIET_S = 20;
/** Number of scenarios that run at the same time. */
const AT_ONCE = 5;
const SEED = 5;
const SMALL_BODY = 1_000;

const PROGRAMS = { ours: "benchmarks/loss-ours.ts", theirs: "benchmarks/loss-write-api.ts" } as const;
type Contender = keyof typeof PROGRAMS;

interface Scenario extends Omit<FaultyProxyOptions, "seed"> {
  readonly what: string;
  /** Whether the process is killed repeatedly. */
  readonly killed?: boolean;
  /** The number of targets; one by default. */
  readonly targets?: number;
  /** Whether the token of the last target cannot be read during the faults. */
  readonly tokenMissing?: boolean;
  /** How far the wall clock is ahead during the faults, except in the first process. */
  readonly clockAheadMs?: number;
}

/** One line of five hundred that no InfluxDB can parse. */
function isBad(line: string): boolean {
  return numberOf(line) % 500 === 77;
}

/** Returns a scenario in which every request has this fault. */
function always(what: string, fault: FaultKind): Scenario {
  return { what, faults: [fault], passes: 0 };
}

const SCENARIOS: readonly Scenario[] = [
  always("no connection", "refuse"),
  always("no answer", "hang"),
  always("an answer that never ends", "trickle"),
  { what: "every second connection is reset", faults: ["reset"], passes: 1 },
  { what: "every second acknowledgement is lost", faults: ["lostAck"], passes: 1 },
  always("503 with Retry-After", "503 seconds"),
  always("429 with Retry-After", "429 seconds"),
  always("401, until the token is corrected", "401"),
  always("404, until the bucket is created", "404"),
  { what: `413 for more than ${SMALL_BODY} bytes`, faults: [], maxBodyBytes: SMALL_BODY },
  { what: "one line in 500 is bad", faults: [], isBad },
  { what: "the server reads one gzip member of a request", faults: ["refuse"], passes: 1, firstMemberOnly: true },
  always("a partial write that rejects every line", "422 limit"),
  always("200 with a page of a gateway", "200 page"),
  { what: "the Secret of one of three targets is missing", faults: [], targets: 3, tokenMissing: true },
  {
    what: "no connection, and after a restart the clock is 2 days ahead",
    faults: ["refuse"],
    passes: 0,
    killed: true,
    clockAheadMs: 2 * 86_400_000,
  },
  { what: "the process is killed every 2.5 s", faults: [], killed: true },
  { what: "the process is killed while there is no connection", faults: ["refuse"], passes: 0, killed: true },
  {
    what: "all faults together, in every second request",
    faults: FAULT_KINDS,
    passes: 1,
    maxBodyBytes: SMALL_BODY,
    isBad,
    killed: true,
  },
];

export interface Loss {
  readonly what: string;
  /** Accepted lines. */
  readonly written: Readonly<Record<Contender, number>>;
  readonly lost: Readonly<Record<Contender, number>>;
}

/** Measures the agent's delivery and the official client's WriteApi with the same faults. */
export async function measureLosses(): Promise<readonly Loss[]> {
  await using influx = await Influxd2.start();
  const losses: Loss[] = [];
  for (let first = 0; first < SCENARIOS.length; first += AT_ONCE) {
    const group = SCENARIOS.slice(first, first + AT_ONCE);
    console.log(`# ${group.map(({ what }) => what).join("; ")}`);
    losses.push(...(await Promise.all(group.map((scenario, index) => compare(influx, scenario, first + index)))));
  }
  return losses;
}

async function compare(influx: Influxd2, scenario: Scenario, index: number): Promise<Loss> {
  const [ours, theirs] = await Promise.all([
    lose(influx, scenario, { contender: "ours", run: `ours-${index}` }),
    lose(influx, scenario, { contender: "theirs", run: `theirs-${index}` }),
  ]);
  return {
    what: scenario.what,
    written: { ours: ours.written, theirs: theirs.written },
    lost: { ours: ours.lost, theirs: theirs.lost },
  };
}

interface Run {
  readonly contender: Contender;
  readonly run: string;
}

async function lose(
  influx: Influxd2,
  { killed = false, targets = 1, tokenMissing = false, clockAheadMs = 0, ...faults }: Scenario,
  { contender, run }: Run,
): Promise<{ readonly written: number; readonly lost: number }> {
  const directory = await mkdtemp(path.join(tmpdir(), "loss-"));
  await using resources = new AsyncDisposableStack();
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  const proxy = resources.use(await FaultyProxy.start(influx.url, { seed: SEED, ...faults }));
  const { org, token } = influx;
  const buckets = Array.from({ length: targets }, (_, index) => `${run}-${index}`);
  for (const bucket of buckets) await influx.createBucket(bucket);
  const order = { run, url: proxy.url, org, token, buckets, tokenMissing, clockAheadMs: 0, directory };
  const lives = new Lives(PROGRAMS[contender], order);
  resources.defer(() => lives.end());
  for (const overAt = Date.now() + FAULTS_S * 1_000; Date.now() < overAt;) {
    lives.begin();
    await sleep(killed ? LIFE_MS : FAULTS_S * 1_000);
    if (killed) await lives.kill();
    lives.order = { ...order, clockAheadMs };
  }
  proxy.calm();
  lives.order = order;
  lives.begin();
  lives.send("calm");
  await sleep(CALM_S * 1_000);
  lives.send("enough");
  await sleep(1_000);
  const lost = (): Promise<number> => missing(influx, buckets, lives.written, faults.isBad);
  let [least, sinceMs] = [await lost(), Date.now()];
  while (least > 0 && Date.now() - sinceMs < QUIET_S * 1_000) {
    await sleep(1_000);
    const left = await lost();
    if (left < least) [least, sinceMs] = [left, Date.now()];
  }
  await lives.end();
  return { written: lives.written * targets, lost: await lost() };
}

/** Resolves to the number of valid lines that are not stored, of all buckets. */
async function missing(
  influx: Influxd2,
  buckets: readonly string[],
  written: number,
  isBad: ((line: string) => boolean) | undefined,
): Promise<number> {
  const good = Array.from({ length: written }, (_, number) => number).filter(
    (number) => isBad?.(` number=${number}i`) !== true,
  );
  let lost = 0;
  for (const bucket of buckets) {
    const rows = await influx.query('SELECT "number" FROM "loss"', bucket);
    const stored = new Set(rows.map(({ number }) => Number(number)));
    lost += good.filter((number) => !stored.has(number)).length;
  }
  return lost;
}

/** A contender's process, restarted when it is killed. */
class Lives {
  /** Number of accepted lines. */
  written = 0;
  /** The settings of the next process. */
  order: Omit<LossOrder, "first">;
  readonly #program: string;
  #child: ChildProcess | undefined;

  constructor(program: string, order: Omit<LossOrder, "first">) {
    this.#program = program;
    this.order = order;
  }

  /** Starts it if it does not run. */
  begin(): void {
    if (this.#child !== undefined) return;
    const order: LossOrder = { ...this.order, first: this.written };
    this.#child = fork(this.#program, [JSON.stringify(order)], { stdio: "inherit" });
    this.#child.on("message", (written) => (this.written = Number(written)));
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    const gone = once(child, "close");
    child.kill("SIGKILL");
    await gone;
  }

  /** Tells the process that the faults are over ("calm"), or to make no more lines ("enough"). */
  send(message: "calm" | "enough"): void {
    this.#child?.send(message);
  }

  /** Ends it in order: it may deliver the rest. */
  async end(): Promise<void> {
    if (this.#child !== undefined) await end(this.#child);
    this.#child = undefined;
  }
}
