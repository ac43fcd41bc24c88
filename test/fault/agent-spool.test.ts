import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { exportCommand } from "../../src/commands/spool.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { SimulatedHost } from "../../src/simulator/simulated-host.ts";
import { SimulatorServer } from "../../src/simulator/server.ts";
import { run, runningProcess } from "../support/command-line.ts";
import { configText } from "../support/config.ts";
import { until } from "../support/delivery.ts";
import { FaultyProxy } from "../support/faulty-proxy.ts";
import { FakeInflux } from "../support/fake-influx.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { atEnd } from "../support/at-end.ts";

/** Returns the arguments of an agent with a simulated host, one target and a spool. */
async function argumentsFor(t: TestContext, targetUrl: string): Promise<{ args: string[]; spool: string }> {
  const directory = await temporaryDirectory(t);
  const socket = path.join(directory, "libvirt-sock");
  const server = await SimulatorServer.start(socket, SimulatedHost.of(3, { nics: 1, disks: 1, seed: 1 }));
  atEnd(t, () => server[Symbol.asyncDispose]());
  const config = path.join(directory, "config.yaml");
  const targets = [{ name: "main", url: targetUrl, tls: { mode: "Plaintext" }, v1: { database: "d" } }];
  await writeFile(config, configText({ collection: { interval: "1s" }, targets }));
  const spool = path.join(directory, "spool");
  return { args: ["agent", "--config", config, "--libvirt-socket", socket, "--spool-dir", spool], spool };
}

/** Returns the lines in a spool that its target has not taken. */
async function queued(spool: string): Promise<string[]> {
  const parts: Uint8Array[] = [];
  const write = (bytes: Uint8Array): Promise<void> => {
    parts.push(bytes);
    return Promise.resolve();
  };
  await exportCommand(spool, { target: "main" }, write, (leftOut) => {
    assert.fail(leftOut);
  });
  return Buffer.concat(parts).toString().split("\n").slice(0, -1);
}

test("queued lines survive the kill and the end of an agent", async (t) => {
  await using influx = await FakeInflux.start({ version: "v1" });
  influx.fault = { kind: "status", status: 503 };
  const { args, spool } = await argumentsFor(t, influx.url);
  const started = /"msg":"started"/;
  const seen = new Set<string>();
  for (const signal of ["SIGKILL", "SIGTERM"] as const) {
    const before = influx.requests.length;
    const agent = await runningProcess(t, args, started);
    await until("the agent has collected and tried to deliver", () => influx.requests.length >= before + 2);
    const ended = once(agent, "exit");
    agent.kill(signal);
    await ended;
    for (const line of await queued(spool)) seen.add(line);
  }
  assert.ok(seen.size > 0);
  influx.fault = undefined;
  const { exitCode, stderr } = await run([...args, "--once"]);
  assert.equal(exitCode, 0, stderr);
  const stored = new Set(influx.stored);
  assert.deepEqual(
    [...seen].filter((line) => !stored.has(line)),
    [],
  );
  assert.deepEqual(await queued(spool), []);
});

test("an agent with a hanging target ends on a signal, with every line in the spool", async (t) => {
  await using influx = await FakeInflux.start({ version: "v1" });
  influx.fault = { kind: "hang" };
  const { args, spool } = await argumentsFor(t, influx.url);
  const agent = await runningProcess(t, args, /"msg":"started"/);
  let log = "";
  agent.stdout?.on("data", (chunk: Buffer) => (log += chunk.toString()));
  await until("the agent has tried to deliver", () => influx.requests.length > 0);
  const [first = []] = influx.requests.map(({ lines }) => lines);
  let before: string[] = [];
  for (let attempt = 0; attempt < 1_000 && before.length < 3 * first.length; attempt++) {
    before = await queued(spool);
    await systemClock.sleep(10);
  }
  assert.ok(before.length >= 3 * first.length, "the lines of later cycles are queued too");
  const ended = once(agent, "exit");
  agent.kill("SIGTERM");
  assert.deepEqual(await ended, [0, null]);
  const after = new Set(await queued(spool));
  assert.deepEqual(
    [...first, ...before].filter((line) => !after.has(line)),
    [],
  );
  assert.match(log, new RegExp(`"undeliveredLines":${after.size},"rejectedLines":0,"msg":"stopped"`));
});

test("an agent without a spool logs the lines that are lost at its end", async (t) => {
  await using influx = await FakeInflux.start({ version: "v1" });
  influx.fault = { kind: "status", status: 503 };
  const { args } = await argumentsFor(t, influx.url);
  const agent = await runningProcess(t, [...args.slice(0, -2), "--once"], /"msg":"delivering what is left"/);
  let log = "";
  agent.stdout?.on("data", (chunk: Buffer) => (log += chunk.toString()));
  const ended = once(agent, "close");
  agent.kill("SIGTERM");
  await ended;
  assert.match(
    log,
    /"lines":(\d+),"msg":"lines that were not delivered are lost: .*"deliveredLines":0,"undeliveredLines":\1,/s,
  );
});

test("rejected lines are kept beside the spool, whole", async (t) => {
  await using influx = await FakeInflux.start({ version: "v1" });
  const isBad = (line: string): boolean => line.startsWith("vm_metrics,");
  await using proxy = await FaultyProxy.start(influx.url, { seed: 1, faults: [], isBad });
  const { args, spool } = await argumentsFor(t, proxy.url);
  const { exitCode } = await run([...args, "--once"]);
  assert.equal(exitCode, 1);
  const records = (await readFile(path.join(spool, "rejected", "main.jsonl"), "utf8")).trim().split("\n");
  for (const record of records) {
    const { target, line } = JSON.parse(record) as { readonly target: string; readonly line: string };
    assert.equal(target, "main");
    assert.match(line, /^vm_metrics,.* \d{19}$/);
  }
  assert.ok(influx.stored.length > 0 && !influx.stored.some(isBad));
});

test("an unusable spool directory is logged as an error, and the lines are delivered", async (t) => {
  await using influx = await FakeInflux.start({ version: "v1" });
  const { args, spool } = await argumentsFor(t, influx.url);
  await writeFile(spool, "a file");
  const { exitCode, stdout } = await run([...args, "--once"]);
  assert.equal(exitCode, 0);
  assert.match(stdout, /"code":"E_SPOOL_WRITE","msg":"lines are kept in memory only: /);
  assert.ok(influx.stored.length > 0);
});

test("an agent that fails to start releases its spool", async (t) => {
  const { args, spool } = await argumentsFor(t, "http://127.0.0.1:9");
  await writeFile(args[2] ?? "", "not a configuration");
  const { exitCode } = await run(args);
  assert.equal(exitCode, 2);
  const { exitCode: code, stdout } = await run(["spool", "inspect", spool]);
  assert.deepEqual([code, stdout.split(",")[0]], [0, `${spool}/v1: not in use`]);
});

test("--once with a target that nothing listens for ends with a sentence, and keeps the lines", async (t) => {
  const influx = await FakeInflux.start({ version: "v1" });
  const { args, spool } = await argumentsFor(t, influx.url);
  await influx[Symbol.asyncDispose]();
  const { exitCode, stdout } = await run([...args, "--once"]);
  assert.equal(exitCode, 1);
  assert.match(stdout, /"msg":"lines not delivered after 8 more attempts: .*ECONNREFUSED.*\(nothing listens there: /);
  assert.ok((await queued(spool)).length > 0);
});

test("--once waits for a target that fails a few times", async (t) => {
  await using influx = await FakeInflux.start({ version: "v1" });
  const { args, spool } = await argumentsFor(t, influx.url);
  influx.faults.push(...Array.from({ length: 4 }, () => ({ kind: "status", status: 503 }) as const));
  const { exitCode } = await run([...args, "--once"]);
  assert.equal(exitCode, 0);
  assert.deepEqual(await queued(spool), []);
});
