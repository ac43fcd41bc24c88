import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { Collector, type CollectorSettings } from "../../../src/collection/collector.ts";
import { libvirtSources } from "../../../src/collection/libvirt/libvirt-sources.ts";
import type { SourceFactory } from "../../../src/collection/source.ts";
import { PROCEDURE } from "../../../src/libvirt/protocol.ts";
import { SimulatedHost } from "../../../src/simulator/simulated-host.ts";
import { SimulatorServer } from "../../../src/simulator/server.ts";
import { BALLOON, CPU_TIMES, DEVICES } from "../../../src/collection/stats-needs.ts";
import { until } from "../../support/delivery.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { turns } from "../../support/turns.ts";
import { atEnd } from "../../support/at-end.ts";

/** Turns of the event loop after which the sockets have exchanged all pending data. */
const TURNS = 60;
const STEP_MS = 25;

const SETTINGS: CollectorSettings = {
  timeoutMs: 5_000,
  deviceCacheTtlMs: 300_000,
  maxConcurrentEndpoints: 8,
  needs: [DEVICES, BALLOON, CPU_TIMES],
};

/** Starts daemons a, b, c, ... with one domain each, and a collector of all of them. */
async function node(t: TestContext, daemons: number, settings: Partial<CollectorSettings> = {}) {
  const directory = await mkdtemp(path.join(tmpdir(), "node-"));
  const clock = new FakeClock();
  const sourceOf = libvirtSources(clock);
  const collector = new Collector({ ...SETTINGS, ...settings }, clock);
  const source = (socket: string): SourceFactory => sourceOf({ socket });
  const hosts: SimulatedHost[] = [];
  const servers: SimulatorServer[] = [];
  const sockets: string[] = [];
  for (let index = 0; index < daemons; index++) {
    const host = SimulatedHost.of(1, { nics: 1, disks: 1, seed: index });
    const socket = path.join(directory, String.fromCharCode(97 + index));
    hosts.push(host);
    sockets.push(socket);
    servers.push(await SimulatorServer.start(socket, host));
  }
  atEnd(t, async () => {
    collector.close();
    for (const host of hosts) host.thaw();
    for (const server of servers) await server[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });
  collector.setSources(sockets.map(source));
  /** Runs a cycle. Returns the result of each endpoint, in the order of completion. */
  const cycle = async (): Promise<string[]> => {
    const done: string[] = [];
    const running = { done: false };
    const collected = collector
      .collect(({ endpoint, outcome, samples }) => {
        done.push(`${path.basename(endpoint)} ${outcome} ${samples.length}`);
      })
      .finally(() => {
        running.done = true;
      });
    // The deadlines of calls are timers: they and the clock advance together, only while all sockets are idle.
    t.mock.timers.enable({ apis: ["setTimeout"] });
    for (;;) {
      await turns(TURNS);
      if (running.done) break;
      await clock.advance(STEP_MS);
      t.mock.timers.tick(STEP_MS);
    }
    t.mock.timers.reset();
    await collected;
    return done;
  };
  return { collector, hosts, servers, sockets, directory, source, cycle };
}

test("every endpoint is collected, and each result is passed on separately", async (t) => {
  const { cycle } = await node(t, 3);
  assert.deepEqual((await cycle()).sort(), ["a collected 1", "b collected 1", "c collected 1"]);
});

test("an exception in a result handler is thrown after all other results are passed on", async (t) => {
  const { collector } = await node(t, 3, { maxConcurrentEndpoints: 1 });
  const done: string[] = [];
  const collecting = collector.collect(({ endpoint }) => {
    const name = path.basename(endpoint);
    if (name === "a") throw new Error("a bug");
    done.push(name);
  });
  await assert.rejects(collecting, /a bug/);
  assert.deepEqual(done, ["b", "c"]);
});

test("a daemon that hangs and one that is gone do not affect the others", async (t) => {
  const { hosts, servers, cycle } = await node(t, 4, { timeoutMs: 200 });
  hosts[1]?.freeze();
  await servers[2]?.[Symbol.asyncDispose]();
  const done = await cycle();
  assert.deepEqual([...done].sort(), ["a collected 1", "b failed 0", "c failed 0", "d collected 1"]);
  assert.equal(done.at(-1), "b failed 0", "the others do not wait for it");
});

test("the number of concurrent endpoints has a limit", async (t) => {
  const { hosts, cycle } = await node(t, 3, { timeoutMs: 200, maxConcurrentEndpoints: 1 });
  hosts[0]?.freeze();
  assert.deepEqual(await cycle(), ["a failed 0", "b collected 1", "c collected 1"]);
});

test("a daemon that does not answer delays the next one by its turn at most", async (t) => {
  const { hosts, cycle } = await node(t, 4, { timeoutMs: 2_000, maxConcurrentEndpoints: 1 });
  hosts[0]?.freeze();
  assert.deepEqual(await cycle(), ["b collected 1", "c collected 1", "d collected 1", "a failed 0"]);
});

test("removed endpoints are closed, and the others keep their connection", async (t) => {
  const { collector, hosts, servers, sockets, directory, source, cycle } = await node(t, 2);
  await cycle();
  const [, kept = ""] = sockets;
  collector.setSources([kept, path.join(directory, "new")].map(source));
  assert.deepEqual((await cycle()).sort(), ["b collected 1", "new failed 0"]);
  assert.equal(hosts[1]?.calls.get(PROCEDURE.CONNECT_GET_LIB_VERSION), 1);
  await until("the connection is closed", () => servers[0]?.clients === 0);
  collector.setSources([]);
  assert.deepEqual(await cycle(), []);
});

test("new settings apply to existing and to new endpoints", async (t) => {
  const { collector, hosts, sockets, source, cycle } = await node(t, 2);
  collector.setSources(sockets.slice(0, 1).map(source));
  await cycle();
  collector.configure({ ...SETTINGS, needs: [] });
  collector.setSources(sockets.map(source));
  await cycle();
  const bulk = hosts.map(({ calls }) => calls.get(PROCEDURE.CONNECT_GET_ALL_DOMAIN_STATS) ?? 0);
  assert.deepEqual(bulk, [1, 0]);
});
