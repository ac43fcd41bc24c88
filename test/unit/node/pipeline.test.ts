import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { pino } from "pino";
import { AgentLog } from "../../../src/agent-log.ts";
import type { Endpoint } from "../../../src/collection/libvirt/endpoint.ts";
import { parseConfig } from "../../../src/config/parse.ts";
import { resolveConfig, type EffectiveConfig } from "../../../src/config/resolve.ts";
import { secretsDirectory } from "../../../src/config/secrets-dir.ts";
import { TelemetryError } from "../../../src/errors.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { Pipeline } from "../../../src/node/pipeline.ts";
import { Router } from "../../../src/routing/router.ts";
import { MemorySpool } from "../../../src/spool/memory-spool.ts";
import type { Spool } from "../../../src/spool/spool.ts";
import { SimulatedHost } from "../../../src/simulator/simulated-host.ts";
import { SimulatorServer } from "../../../src/simulator/server.ts";

async function config(spec = ""): Promise<EffectiveConfig> {
  const { config: parsed, faults } = parseConfig(`apiVersion: kubevirt-telemetry.io/v1alpha1
kind: TelemetryConfig
metadata: { name: test }
spec:
  collection: { interval: 1s }
  targets: [{ name: main, url: "http://127.0.0.1:1", tls: { mode: Plaintext }, v1: { database: d } }]
${spec}`);
  assert.deepEqual(faults, undefined);
  return resolveConfig(parsed, secretsDirectory(undefined));
}

interface Found {
  sockets: readonly string[] | Error;
  naming?: Pick<Endpoint, "identify">;
}

/** A pipeline over a simulated daemon with two domains, whose lines nobody takes. */
async function bench(
  t: TestContext,
  spool?: Spool,
): Promise<{
  readonly pipeline: Pipeline;
  readonly router: Router;
  readonly socket: string;
  readonly log: string[];
  readonly endpoints: Found;
}> {
  const directory = await mkdtemp(path.join(tmpdir(), "pipeline-"));
  const socket = path.join(directory, "sock");
  const server = await SimulatorServer.start(socket, SimulatedHost.of(2, { nics: 1, disks: 1, seed: 1 }));
  const log: string[] = [];
  const agentLog = new AgentLog(
    pino({ level: "debug", base: null }, { write: (line) => void log.push((JSON.parse(line) as { msg: string }).msg) }),
    systemClock,
  );
  const router = new Router({
    node: undefined,
    clock: systemClock,
    observer: agentLog,
    onMissing: () => undefined,
    spool,
  });
  const endpoints: Found = { sockets: [socket] };
  const pipeline = new Pipeline({
    router,
    log: agentLog,
    clock: systemClock,
    endpoints: () =>
      endpoints.sockets instanceof Error
        ? Promise.reject(endpoints.sockets)
        : Promise.resolve(endpoints.sockets.map((one) => ({ socket: one, ...endpoints.naming }))),
  });
  t.after(async () => {
    await router.stop();
    await server[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });
  return { pipeline, router, socket, log, endpoints };
}

const { signal: never } = new AbortController();

test("a limited number of cycles ends by itself, and what was collected waits for its target", async (t) => {
  const { pipeline, router, socket, log } = await bench(t);
  pipeline.configure(await config());
  assert.equal(await pipeline.run(2, never), true);
  // Two domains: metrics, NIC, disk and totals each, and features in the second cycle.
  assert.equal(router.senders[0]?.backlog.lines, 8 + 10);
  assert.equal(log.filter((msg) => msg === "cycle").length, 2);
  assert.deepEqual(pipeline.views.endpoints, [], "nothing is held of a pipeline that has ended");
  assert.ok(log.includes("domain appeared"), socket);
});

test("without a configuration nothing is collected, and the first cycle begins when there is one", async (t) => {
  const { pipeline, router, log } = await bench(t);
  const done = pipeline.run(1, never);
  await systemClock.sleep(300);
  assert.deepEqual([log, router.senders], [[], []]);
  pipeline.configure(await config());
  assert.equal(await done, true);
  assert.equal(router.senders[0]?.backlog.lines, 8);
});

test("a configuration that goes away ends collection and keeps what waits for the targets", async (t) => {
  const { pipeline, router, log } = await bench(t);
  const stop = new AbortController();
  pipeline.configure(await config());
  const done = pipeline.run(Number.POSITIVE_INFINITY, stop.signal);
  while (!log.includes("cycle")) await systemClock.sleep(5);
  pipeline.configure(undefined);
  while (!log.some((msg) => msg.includes("no configuration any more"))) await systemClock.sleep(5);
  stop.abort();
  await done;
  assert.equal(router.senders[0]?.backlog.lines, 8 * log.filter((msg) => msg === "cycle").length);
});

test("a suspended configuration collects nothing and counts its cycles all the same", async (t) => {
  const { pipeline, router, log } = await bench(t);
  pipeline.configure(await config("  state: Suspended\n"));
  assert.equal(await pipeline.run(1, never), true);
  assert.equal(router.senders[0]?.backlog.lines, 0);
  assert.ok(!log.includes("cycle"));
});

test("endpoints that cannot be found are a failed cycle, and are looked for again at the next", async (t) => {
  const { pipeline, router, endpoints, socket, log } = await bench(t);
  pipeline.configure(await config());
  endpoints.sockets = new TelemetryError("E_SOCKET_NOT_FOUND", "no libvirt socket found");
  assert.equal(await pipeline.run(1, never), false);
  assert.ok(log.some((msg) => msg.includes("no libvirt socket found")));
  endpoints.sockets = [socket];
  pipeline.configure(await config());
  assert.equal(await pipeline.run(1, never), true);
  assert.equal(router.senders[0]?.backlog.lines, 8);
});

test("an exception while one domain is encoded is a failed cycle that costs only this domain's lines", async (t) => {
  const { pipeline, router, endpoints, log } = await bench(t);
  const unwritable = { name: "vm-001", tags: [["tag", Object]] as never };
  endpoints.naming = { identify: (domain) => (domain.name === "vm-001" ? unwritable : domain) };
  pipeline.configure(await config());
  assert.equal(await pipeline.run(2, never), false);
  assert.equal(router.senders[0]?.backlog.lines, 4 + 5);
  assert.deepEqual(pipeline.libvirt.errors, new Map([["E_INTERNAL", 2]]));
  assert.equal(pipeline.cycles.incomplete, 2);
  assert.equal(log.filter((msg) => msg.includes("vm-001")).length, 1, "it is logged at the first time only");
});

test("an exception while lines are handed to the buffer is a failed cycle, and the next one goes on", async (t) => {
  const spool = new MemorySpool({ maxBytes: 1 << 20, maxAgeMs: 60_000 }, systemClock);
  const append = spool.append.bind(spool);
  let faults = 1;
  spool.append = (...batch) => (faults-- > 0 ? Promise.reject(new Error("a bug")) : append(...batch));
  const { pipeline, router, log } = await bench(t, spool);
  pipeline.configure(await config());
  assert.equal(await pipeline.run(2, never), false);
  assert.equal(router.senders[0]?.backlog.lines, 10);
  assert.equal(log.filter((msg) => msg === "handing lines to the buffer failed unexpectedly: a bug").length, 1);
  assert.equal(pipeline.cycles.incomplete, 1);
});

test("an exception while daemons are looked for is a failed cycle, and the next one goes on", async (t) => {
  const { pipeline, endpoints, log } = await bench(t);
  endpoints.sockets = new Error("a bug");
  pipeline.configure(await config());
  assert.equal(await pipeline.run(1, never), false);
  assert.ok(log.includes("no statistics from libvirt: looking for libvirt daemons failed unexpectedly: a bug"));
});
