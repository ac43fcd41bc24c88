import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { Collector, type CollectorSettings } from "../../../src/collection/collector.ts";
import { libvirtSource } from "../../../src/collection/libvirt/libvirt-source.ts";
import type { SourceFactory } from "../../../src/collection/source.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { PROCEDURE } from "../../../src/libvirt/protocol.ts";
import { SimulatedHost } from "../../../src/simulator/simulated-host.ts";
import { SimulatorServer } from "../../../src/simulator/server.ts";
import { BALLOON, CPU_TIMES, DEVICES } from "../../../src/collection/stats-needs.ts";
import { until } from "../../support/delivery.ts";

const SETTINGS: CollectorSettings = {
  timeoutMs: 5_000,
  deviceCacheTtlMs: 300_000,
  maxConcurrentEndpoints: 8,
  needs: [DEVICES, BALLOON, CPU_TIMES],
};

/** Daemons a, b, c, ... with one domain each, and a collector of all of them. */
async function node(t: TestContext, daemons: number, settings: Partial<CollectorSettings> = {}) {
  const directory = await mkdtemp(path.join(tmpdir(), "node-"));
  const collector = new Collector({ ...SETTINGS, ...settings }, systemClock);
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
  t.after(async () => {
    collector.close();
    for (const host of hosts) host.thaw();
    for (const server of servers) await server[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });
  collector.setSources(sockets.map(source));
  /** Runs a cycle; what came of each endpoint, in the order in which they were done. */
  const cycle = async (): Promise<string[]> => {
    const done: string[] = [];
    await collector.collect(({ endpoint, outcome, samples }) => {
      done.push(`${path.basename(endpoint)} ${outcome} ${samples.length}`);
    });
    return done;
  };
  return { collector, hosts, servers, sockets, directory, cycle };
}

test("every endpoint is collected, and each is handed on by itself", async (t) => {
  const { cycle } = await node(t, 3);
  assert.deepEqual((await cycle()).sort(), ["a collected 1", "b collected 1", "c collected 1"]);
});

test("an exception over one endpoint's cycle comes at the end, when all others have been handed on", async (t) => {
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

test("a daemon that hangs and one that is gone cost the others nothing", async (t) => {
  const { hosts, servers, cycle } = await node(t, 4, { timeoutMs: 200 });
  hosts[1]?.freeze();
  await servers[2]?.[Symbol.asyncDispose]();
  const done = await cycle();
  assert.deepEqual([...done].sort(), ["a collected 1", "b failed 0", "c failed 0", "d collected 1"]);
  assert.equal(done.at(-1), "b failed 0", "the others did not wait for it");
});

test("no more endpoints than allowed are collected at a time", async (t) => {
  const { hosts, cycle } = await node(t, 3, { timeoutMs: 200, maxConcurrentEndpoints: 1 });
  hosts[0]?.freeze();
  assert.deepEqual(await cycle(), ["a failed 0", "b collected 1", "c collected 1"]);
});

test("a daemon that does not answer takes nobody's turn for longer than a moment", async (t) => {
  const { hosts, cycle } = await node(t, 4, { timeoutMs: 2_000, maxConcurrentEndpoints: 1 });
  hosts[0]?.freeze();
  assert.deepEqual(await cycle(), ["b collected 1", "c collected 1", "d collected 1", "a failed 0"]);
});

test("endpoints that are no longer named are closed, and those that stay keep their connection", async (t) => {
  const { collector, hosts, servers, sockets, directory, cycle } = await node(t, 2);
  await cycle();
  const [, kept = ""] = sockets;
  collector.setSources([kept, path.join(directory, "new")].map(source));
  assert.deepEqual((await cycle()).sort(), ["b collected 1", "new failed 0"]);
  assert.equal(hosts[1]?.calls.get(PROCEDURE.CONNECT_GET_LIB_VERSION), 1);
  await until("the connection is closed", () => servers[0]?.clients === 0);
  collector.setSources([]);
  assert.deepEqual(await cycle(), []);
});

test("new settings reach the endpoints that there are and those to come", async (t) => {
  const { collector, hosts, sockets, cycle } = await node(t, 2);
  collector.setSources(sockets.slice(0, 1).map(source));
  await cycle();
  collector.configure({ ...SETTINGS, needs: [] });
  collector.setSources(sockets.map(source));
  await cycle();
  const bulk = hosts.map(({ calls }) => calls.get(PROCEDURE.CONNECT_GET_ALL_DOMAIN_STATS) ?? 0);
  assert.deepEqual(bulk, [1, 0]);
});

function source(socket: string): SourceFactory {
  return libvirtSource({ socket }, systemClock);
}
