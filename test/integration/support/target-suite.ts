import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { parseLines, type Point } from "../../../scripts/demo/line-protocol-parser.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { SimulatedHost } from "../../../src/simulator/simulated-host.ts";
import { SimulatorServer } from "../../../src/simulator/server.ts";
import { DurableSpool } from "../../../src/spool/durable-spool.ts";
import { atEnd } from "../../support/at-end.ts";
import { batchFrom } from "../../support/delivery.ts";
import { docTables } from "../../support/docs.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { RunningAgent } from "./agent.ts";
import { until } from "./process.ts";
import { TargetStates } from "./target-states.ts";
import { writtenTo } from "./written-lines.ts";

/** A server with one of its APIs. */
export interface TargetCase {
  /** Its name in the table of docs/targets.md. */
  readonly documented: string;
  readonly server: { readonly url: string; restart(): Promise<void>; stop(): Promise<void> } & AsyncDisposable;
  /** Path of the API below the URL of the server, if not its root. */
  readonly basePath?: string;
  /** Returns the field of a target that names the API and the database, in YAML. */
  readonly api: (database: string) => string;
  /** Secret name -> key -> value. */
  readonly secrets?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Runs before the agent starts. */
  readonly prepare?: () => Promise<void>;
  /** Creates a database. A server without it takes lines for any database. */
  readonly createDatabase?: (name: string) => Promise<void>;
  /** What becomes of a line that cannot be parsed. A lost one is answered with a success. */
  readonly badLine: "rejected" | "lost";
  /** What becomes of a float in a field of integers. */
  readonly typeConflict: "rejected" | "stored";
  /** The server keeps a point twice that it gets twice. */
  readonly keepsRepeats?: boolean;
  /** Resolves to what the server has, in texts as of `held`. */
  readonly stored: () => Promise<readonly string[]>;
  /** Returns what the server must have of a point that was sent to a database. */
  readonly held: (point: Point, database: string) => readonly string[];
}

/** It exists, or the server does not know databases. */
const DATABASE = "telemetry";
/** It does not exist at first. */
const UNKNOWN_DATABASE = "elsewhere";
/** The names of the targets: with each of these databases, and with the API of InfluxDB 3, which none of the servers has. */
const [MAIN, ELSEWHERE, OTHER_API] = ["main", "elsewhere", "other-api"];

const FRAMES = 220;
const LINES_OF_FRAME = 10;
/** A tag without a value. */
const BAD_LINE = "vm_metrics,name cputime_ns=1i";
const TYPE_CONFLICT = "vm_metrics,VMID=1,name=conflict,uuid=u,namespace=shop,node=n cputime_ns=1.5";
/** So slow that the server stops in the middle of the backlog. */
const SETTINGS =
  "      timeout: 5s\n      flush: {interval: 200ms, maxLines: 100}\n      maxDrainLinesPerSecond: 400\n";

/**
 * Tests the bundled agent with a real server: an outage, a database that does not exist, a restart in the middle of the backlog,
 * a bad line, a line with another type, and a target with an API that the server does not have. All lines are on disk when the agent starts, except those of simulated VMs.
 */
export function testTarget(name: string, open: () => Promise<TargetCase>): void {
  test(`${name}: every good line is stored, every bad one is on record, the state is true`, async (t) => {
    const target = await open();
    atEnd(t, () => target.server[Symbol.asyncDispose]());
    checkDocumented(target);
    await target.prepare?.();
    await target.server.stop();
    const spoolDir = await temporaryDirectory(t);
    await queueLines(spoolDir);
    const { agent, simulator } = await startAgent(t, target, spoolDir);
    const seen = await TargetStates.of(agent);

    await seen.until(
      "the outage to be seen",
      ({ state }) => state(MAIN) === "Failing" && state(ELSEWHERE) === "Failing",
    );
    assert.ok(seen.frames >= 200, `${seen.frames} frames wait`);
    assert.deepEqual(seen.reasons(MAIN), ["TargetUnreachable"]);
    assert.equal(seen.stored(MAIN), 0);

    await target.server.restart();
    await seen.until("the backlog to begin", ({ state, stored }) => state(MAIN) === "Delivering" && stored(MAIN) > 0);
    if (target.createDatabase !== undefined) await createLate(target.createDatabase, seen);

    await target.server.stop();
    await seen.until("the restart to be seen", ({ state }) => state(MAIN) === "Failing");
    // New lines alone would be fewer.
    assert.ok(seen.queued(MAIN) + seen.queued(ELSEWHERE) > FRAMES, "the restart is in the middle of the backlog");
    await target.server.restart();
    await agent.run(1);
    await simulator[Symbol.asyncDispose]();
    for (const name of [MAIN, ELSEWHERE]) {
      await seen.until(
        `the backlog of ${name}`,
        ({ state, queued }) => queued(name) === 0 && state(name) === "Delivering",
      );
    }
    await seen.until("the missing API", ({ reasons }) => reasons(OTHER_API).includes("TargetNotFound"));
    agent.signal("SIGKILL");
    await agent.exit();
    await compare(target, spoolDir, seen);
  });
}

/** Checks what docs/targets.md says about the server. */
function checkDocumented({
  documented,
  badLine,
  typeConflict,
  createDatabase,
  keepsRepeats = false,
}: TargetCase): void {
  const rows = docTables("docs/targets.md").flatMap(({ rows }) => rows);
  const row = rows.find(([server, ...cells]) => server === documented && cells.length === 4);
  const [ofBadLine = "", ofConflict = "", ofDatabase = "", ofRepeat = ""] = row?.slice(1) ?? [];
  assert.match(ofBadLine, badLine === "rejected" ? /^rejected, on record$/ : /lost/);
  assert.match(ofConflict, typeConflict === "rejected" ? /^rejected, on record$/ : /^(stored|passed on)$/);
  assert.equal(ofDatabase.includes("TargetNotFound"), createDatabase !== undefined);
  assert.equal(/two|twice/.test(ofRepeat), keepsRepeats);
}

/** While a database does not exist, its lines wait. Then it is created. */
async function createLate(create: (name: string) => Promise<void>, seen: TargetStates): Promise<void> {
  await seen.until("the missing database", ({ reasons }) => reasons(ELSEWHERE).includes("TargetNotFound"));
  assert.deepEqual([seen.state(ELSEWHERE), seen.stored(ELSEWHERE), seen.rejected(ELSEWHERE)], ["Failing", 0, 0]);
  assert.ok(seen.queued(ELSEWHERE) >= FRAMES * LINES_OF_FRAME);
  await create(UNKNOWN_DATABASE);
}

/** Appends frames as an agent leaves them on disk. The points are a minute old, so that no server finds them too old. */
async function queueLines(spoolDir: string): Promise<void> {
  const spool = await DurableSpool.open({ directory: spoolDir, clock: systemClock, minFreeShare: 0 });
  const targets = [MAIN, ELSEWHERE, OTHER_API];
  for (const target of targets) spool.cursor(target);
  const beginMs = Date.now() - 60_000;
  await Promise.all(
    Array.from({ length: FRAMES }, (_, frame) => {
      const time = `${beginMs + frame}000000`;
      const lines = Array.from({ length: LINES_OF_FRAME }, (_, vm) => lineOf(vm, frame, time));
      if (frame === 60) lines.splice(4, 0, `${BAD_LINE} ${time}`);
      if (frame === 120) lines.splice(7, 0, `${TYPE_CONFLICT} ${time}`);
      return spool.append(batchFrom(lines), targets);
    }),
  );
  await spool.close();
}

/**
 * Returns a line as the agent writes them, with characters that are escaped and integers that float64 cannot hold. Fractions are
 * short: VictoriaMetrics keeps 11 digits of a longer one.
 */
function lineOf(vm: number, frame: number, time: string): string {
  const tags = `VMID=1,name=vm-${vm},uuid=6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a0${vm},namespace=shop,node=node-1,app=a\\=b,site=a\\ b\\,ü`;
  if (vm % 2 === 0) return `vm_features,${tags} memory_angle_deg=${(89_900 - frame * 5) / 1_000} ${time}`;
  const cpu = 2n ** 53n + BigInt(frame * 2 + 1);
  return `vm_metrics,${tags} state="running",cpu_count=2i,cputime_ns=${cpu}i ${time}`;
}

async function startAgent(
  t: TestContext,
  { server, basePath = "", api, secrets = {} }: TargetCase,
  spoolDir: string,
): Promise<{ readonly agent: RunningAgent; readonly simulator: SimulatorServer }> {
  const socket = path.join(await temporaryDirectory(t), "sock");
  const simulator = await SimulatorServer.start(socket, SimulatedHost.of(3, { nics: 1, disks: 1, seed: 1 }));
  atEnd(t, () => simulator[Symbol.asyncDispose]());
  const agent = await RunningAgent.start({
    sockets: [socket],
    // The fractions of Features are long.
    spec: "    families: [Metrics, Devices, Totals]",
    targets: [
      yamlOf(MAIN, server.url + basePath, api(DATABASE)),
      yamlOf(ELSEWHERE, server.url + basePath, api(UNKNOWN_DATABASE)),
      yamlOf(OTHER_API, server.url, `v3: {database: ${DATABASE}}`),
    ].join(""),
    secrets,
    args: ["--spool-dir", spoolDir, "--listen", "127.0.0.1:0", "--node-name", "node-1"],
  });
  atEnd(t, () => agent[Symbol.asyncDispose]());
  return { agent, simulator };
}

function yamlOf(name: string, url: string, api: string): string {
  return `    - name: ${name}\n      url: ${url}\n      tls: {mode: Plaintext}\n      ${api}\n${SETTINGS}`;
}

/**
 * Compares all lines that were ever written to the spool with the server and with the record of rejected lines. The spool still has
 * them, because one target cannot deliver any.
 */
async function compare(target: TargetCase, spoolDir: string, seen: TargetStates): Promise<void> {
  const { lines, missingFrames } = await writtenTo(spoolDir);
  assert.equal(missingFrames, 0);
  const isBad = (line: string): boolean => line.startsWith(BAD_LINE);
  const isRejected = (line: string): boolean =>
    (isBad(line) && target.badLine === "rejected") ||
    (line.startsWith(TYPE_CONFLICT) && target.typeConflict === "rejected");
  const rejected = lines.filter(isRejected).sort();
  for (const name of [MAIN, ELSEWHERE]) {
    assert.deepEqual((await onRecord(spoolDir, name)).sort(), rejected, name);
    const counts = [seen.stored(name), seen.rejected(name), seen.dropped(name)];
    assert.deepEqual(counts, [lines.length - rejected.length, rejected.length, 0], name);
  }
  assert.deepEqual([...new Set(seen.reasons(MAIN))], ["TargetUnreachable"]);
  assert.deepEqual(
    [seen.state(OTHER_API), seen.queued(OTHER_API), seen.rejected(OTHER_API)],
    ["Failing", lines.length, 0],
  );

  const points = parseLines(
    lines
      .filter((line) => !isBad(line) && !isRejected(line))
      .map((line) => `${line}\n`)
      .join(""),
  );
  assert.ok(points.length > FRAMES * LINES_OF_FRAME, "the lines of the simulated VMs are there too");
  const expected = [DATABASE, UNKNOWN_DATABASE].flatMap((database) =>
    points.flatMap((point) => target.held(point, database)),
  );
  const goal = new Set(expected).size;
  // Some servers show new lines with a delay.
  const stored = await until(
    async () => {
      const stored = await target.stored();
      return new Set(stored).size >= goal ? stored : undefined;
    },
    `${goal} stored values`,
    20_000,
  );
  // Whole sets would print thousands of lines.
  assert.deepEqual(excess(expected, stored), [], "is missing, or has another value");
  assert.deepEqual(excess(stored, expected), [], "was never written");
  if (target.keepsRepeats !== true) assert.equal(stored.length, goal, "no point is stored twice");
}

/** Returns the first texts that only the first list has. */
function excess(texts: readonly string[], others: readonly string[]): readonly string[] {
  return [...new Set(texts).difference(new Set(others))].slice(0, 5);
}

/** Returns the rejected lines of a target. A record without its line is returned whole. */
async function onRecord(spoolDir: string, target: string): Promise<string[]> {
  const text = await readFile(path.join(spoolDir, "rejected", `${target}.jsonl`), "utf8").catch(() => "");
  return text
    .split("\n")
    .filter(Boolean)
    .map((record) => ({ record, ...(JSON.parse(record) as { readonly target: string; readonly line?: string }) }))
    .filter((entry) => entry.target === target)
    .map(({ record, line }) => line ?? record);
}
