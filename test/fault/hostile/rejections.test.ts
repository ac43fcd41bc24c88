// Bugs that an input may find: code that throws where nothing is expected to throw.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { ConfigLoop, type ConfigListener } from "../../../src/config/config-loop.ts";
import { LauncherSockets } from "../../../src/discovery/launcher-sockets.ts";
import { keepRunning } from "../../../src/lib/keep-running.ts";
import { SimulatedHost } from "../../../src/simulator/simulated-host.ts";
import { SimulatorServer } from "../../../src/simulator/server.ts";
import { ReportWriter } from "../../../src/status/report-writer.ts";
import { atEnd } from "../../support/at-end.ts";
import { runningProcess } from "../../support/command-line.ts";
import { configText } from "../../support/config.ts";
import { until } from "../../support/delivery.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeInflux } from "../../support/fake-influx.ts";
import { appendNumber, SpoolBench, takeAll } from "../../support/spool-bench.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

/** Runs a loop until it has called `bug` three times, each of which threw. Returns the messages of the failures. */
async function failing(loop: (bug: () => never, signal: AbortSignal, clock: FakeClock) => Promise<void>) {
  const clock = new FakeClock();
  const stop = new AbortController();
  const failures: string[] = [];
  let calls = 0;
  const bug = (): never => {
    throw new TypeError(`bug ${++calls}`);
  };
  const failed = (error: unknown): void => {
    failures.push(String(error));
    if (failures.length >= 3) stop.abort();
  };
  const ended = keepRunning(() => loop(bug, stop.signal, clock), { clock, signal: stop.signal, failed });
  await until("the loop has failed three times", async () => {
    await clock.advance(60_000);
    return failures.length >= 3;
  });
  await ended;
  return failures;
}

function never(): never {
  throw new Error("a call that is not expected");
}

const BUGS = ["TypeError: bug 1", "TypeError: bug 2", "TypeError: bug 3"];

test("the loops of configuration, launchers and report go on after an exception", async (t) => {
  const pods = await temporaryDirectory(t);
  const listener: ConfigListener = { changed: never, rejected: never, incomplete: never, unavailable: never };
  const loops: Readonly<Record<string, Parameters<typeof failing>[0]>> = {
    configuration: (bug, signal, clock) =>
      new ConfigLoop({ read: () => Promise.resolve().then(bug), spreadMs: 0 }, clock).run(listener, signal),
    launchers: (bug, signal, clock) => new LauncherSockets(pods, clock).follow(signal, bug),
    report: (bug, signal, clock) =>
      new ReportWriter({ observe: bug, write: never, before: undefined, clock }).run(signal),
  };
  for (const [name, loop] of Object.entries(loops)) assert.deepEqual(await failing(loop), BUGS, name);
});

test("a loop that ends or is stopped is not started again", async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  let runs = 0;
  const options = { clock, signal: stop.signal, failed: never };
  await keepRunning(() => Promise.resolve(runs++).then(() => undefined), options);
  stop.abort();
  await keepRunning(() => Promise.reject(new Error(`stopped ${runs++}`)), options);
  assert.equal(runs, 2);
});

test("the maintenance of the spool goes on after an exception", async (t) => {
  const clock = new FakeClock();
  await using bench = await SpoolBench.open(await temporaryDirectory(t), { clock });
  const cursor = bench.spool.cursor("a");
  await appendNumber(bench.spool, 1);
  let reads = 0;
  bench.spool.caps = {
    get maxBytes(): number {
      // The setter reads the caps too: the bug begins afterwards.
      if (reads++ > 5 && reads < 20) throw new TypeError("bug");
      return 1 << 30;
    },
    maxAgeMs: 1e9,
  };
  for (let second = 0; second < 60; second += 5) await clock.advance(5_000);
  await until("the maintenance has read the caps", async () => {
    await clock.advance(5_000);
    return reads > 25;
  });
  assert.deepEqual(await takeAll(cursor), [1]);
});

/** Starts an agent that collects a simulated host every second; `bug` is code that runs in its process. */
async function agent(t: TestContext, bug: string) {
  const directory = await temporaryDirectory(t);
  const influx = await FakeInflux.start({ version: "v1" });
  atEnd(t, () => influx[Symbol.asyncDispose]());
  const socket = path.join(directory, "sock");
  const server = await SimulatorServer.start(socket, SimulatedHost.of(1, { nics: 1, disks: 1, seed: 1 }));
  atEnd(t, () => server[Symbol.asyncDispose]());
  const config = path.join(directory, "config.yaml");
  const target = { name: "main", url: influx.url, tls: { mode: "Plaintext" }, v1: { database: "d" } };
  await writeFile(config, configText({ collection: { interval: "1s" }, targets: [target] }));
  const module = path.join(directory, "bug.mjs");
  await writeFile(module, bug);
  const log: string[] = [];
  const child = await runningProcess(
    t,
    ["agent", "--config", config, "--libvirt-socket", socket],
    { test: (line: string) => log.push(line) > 0 && line.includes('"msg":"started"') },
    { NODE_OPTIONS: `--import=${module}` },
    { mayBeUnhandled: (line) => line.includes("stray") },
  );
  return { child, influx, log };
}

test("an agent logs a rejection that no code handles once, and goes on", async (t) => {
  const { child, influx, log } = await agent(
    t,
    `setInterval(() => { Promise.reject(new RangeError("stray")); }, 50).unref();`,
  );
  await until("three cycles were delivered", () => influx.requests.length >= 3);
  assert.equal(child.exitCode, null);
  const unhandled = log.filter((line) => line.includes("E_INTERNAL"));
  assert.equal(unhandled.length, 1, unhandled.join("\n"));
  assert.match(unhandled[0] ?? "", /"type":"RangeError".*"stack":.*bug\.mjs.*a rejection was not handled/);
});
