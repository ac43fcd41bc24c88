import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import path from "node:path";
import type { TestContext } from "node:test";
import { pino } from "pino";
import type { Endpoint } from "../../src/collection/libvirt/endpoint.ts";
import { parseConfig } from "../../src/config/parse.ts";
import { resolveConfig, type EffectiveConfig } from "../../src/config/resolve.ts";
import { TargetAccessReader } from "../../src/config/target-access.ts";
import { secretsDirectory } from "../../src/config/secrets-dir.ts";
import { NodeLog } from "../../src/node/node-log.ts";
import { NodeState } from "../../src/node/node-state.ts";
import { Pipeline } from "../../src/node/pipeline.ts";
import { Router } from "../../src/routing/router.ts";
import type { Spool } from "../../src/spool/spool.ts";
import { SimulatedHost } from "../../src/simulator/simulated-host.ts";
import { SimulatorServer } from "../../src/simulator/server.ts";
import { FakeClock } from "./fake-clock.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import { atEnd } from "./at-end.ts";

export const INTERVAL_MS = 1_000;
const { signal: never } = new AbortController();

/** Returns a configuration with the interval of `INTERVAL_MS`, and a target that does not exist. */
export async function config(spec = "", collection = ""): Promise<EffectiveConfig> {
  const { config: parsed, faults } = parseConfig(`apiVersion: kubevirt-telemetry.io/v1alpha1
kind: TelemetryConfig
metadata: { name: test }
spec:
  collection: { interval: 1s${collection} }
  targets: [{ name: main, url: "http://127.0.0.1:1", tls: { mode: Plaintext }, v1: { database: d } }]
${spec}`);
  assert.deepEqual(faults, undefined);
  return resolveConfig(parsed, new TargetAccessReader(secretsDirectory(undefined)));
}

interface Found {
  sockets: readonly string[] | Error;
  naming?: Pick<Endpoint, "identify">;
}

/** Returns a pipeline over a simulated daemon with two domains. The target does not exist, so lines stay queued. */
export async function pipelineBench(t: TestContext, spool?: Spool) {
  const directory = await temporaryDirectory(t);
  const socket = path.join(directory, "sock");
  const host = SimulatedHost.of(2, { nics: 1, disks: 1, seed: 1 });
  const server = await SimulatorServer.start(socket, host);
  const clock = new FakeClock();
  const log: string[] = [];
  const logged = new EventEmitter();
  const stream = {
    write: (line: string) => {
      const { msg } = JSON.parse(line) as { msg: string };
      log.push(msg);
      logged.emit(msg);
    },
  };
  const nodeLog = new NodeLog(pino({ level: "debug", base: null }, stream), clock);
  const state = new NodeState(nodeLog, clock);
  const router = new Router({ node: undefined, clock, observer: nodeLog, onMissing: () => undefined, spool });
  const endpoints: Found = { sockets: [socket] };
  const pipeline = new Pipeline({
    router,
    state,
    clock,
    findEndpoints: () =>
      endpoints.sockets instanceof Error
        ? Promise.reject(endpoints.sockets)
        : Promise.resolve(endpoints.sockets.map((one) => ({ socket: one, ...endpoints.naming }))),
  });
  atEnd(t, async () => {
    await router.stop();
    await server[Symbol.asyncDispose]();
  });
  /** Runs cycles, advancing the clock by one interval after each; returns whether everything was collected. */
  const run = async (cycles: number): Promise<boolean> => {
    const cyclesDone = (): number => log.filter((msg) => msg === "cycle").length;
    const before = cyclesDone();
    const done = pipeline.run(cycles, never);
    for (let cycle = 1; cycle < cycles; cycle++) {
      // A cycle without a call that takes time is done before the clock has advanced.
      if (cyclesDone() < before + cycle) await once(logged, "cycle");
      await clock.advance(INTERVAL_MS);
    }
    return done;
  };
  return { pipeline, state, router, host, socket, clock, log, logged, endpoints, run };
}
