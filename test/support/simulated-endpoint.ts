import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import type { DomainSample } from "../../src/collection/domain-sample.ts";
import {
  EndpointCollector,
  type CollectionSettings,
  type Endpoint,
  type EndpointCycle,
} from "../../src/collection/endpoint-collector.ts";
import { PROCEDURE, type ProcedureName } from "../../src/libvirt/protocol.ts";
import { SimulatedHost } from "../../src/simulator/simulated-host.ts";
import { SimulatorServer } from "../../src/simulator/server.ts";
import type { SyntheticDomain, DomainShape } from "../../src/simulator/synthetic-domain.ts";
import { FakeClock } from "./fake-clock.ts";

const INTERVAL_MS = 5_000;
/** Turns of the event loop until two sockets of one process have exchanged all pending data. */
const TURNS = 60;
/** Step of the fake clock while a cycle sleeps. */
const STEP_MS = 25;

const SETTINGS: CollectionSettings = {
  timeoutMs: 4_000,
  deviceCacheTtlMs: 300_000,
  needs: { devices: true, totals: true },
};

export interface EndpointOptions {
  readonly domains?: number;
  readonly shape?: DomainShape;
  readonly settings?: Partial<CollectionSettings>;
  readonly name?: NonNullable<Endpoint["name"]>;
}

/** A simulated daemon with its own socket, and the endpoint's collector; both use one fake clock. */
export class SimulatedEndpoint {
  readonly clock = new FakeClock();
  readonly host: SimulatedHost;
  readonly collector: EndpointCollector;
  readonly shape: DomainShape;
  readonly #socketPath: string;
  #server: SimulatorServer | undefined;

  private constructor(socketPath: string, { domains = 3, shape, settings, name }: EndpointOptions) {
    this.shape = shape ?? { nics: 2, disks: 3, seed: 7 };
    this.#socketPath = socketPath;
    this.host = SimulatedHost.of(domains, this.shape, this.clock);
    const named = { socket: socketPath, ...(name !== undefined && { name }) };
    this.collector = new EndpointCollector(named, { ...SETTINGS, ...settings }, this.clock);
  }

  /** Starts both; they are closed when the test ends. */
  static async start(t: TestContext, options: EndpointOptions = {}): Promise<SimulatedEndpoint> {
    const directory = await mkdtemp(path.join(tmpdir(), "endpoint-"));
    const endpoint = new SimulatedEndpoint(path.join(directory, "libvirt-sock-ro"), options);
    await endpoint.startDaemon();
    t.after(async () => {
      endpoint.collector.close();
      for (const name of endpoint.host.stuck) endpoint.host.release(name);
      endpoint.host.thaw();
      await endpoint.stopDaemon();
      await rm(directory, { recursive: true, force: true });
    });
    return endpoint;
  }

  async startDaemon(): Promise<void> {
    this.#server = await SimulatorServer.start(this.#socketPath, this.host);
  }

  async stopDaemon(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    this.#server = undefined;
    // The collector notices the end of its connection, as between two cycles.
    await turns();
  }

  /** Number of connections to the daemon. */
  get clients(): number {
    return this.#server?.clients ?? 0;
  }

  get server(): SimulatorServer {
    assert.ok(this.#server !== undefined, "the daemon is stopped");
    return this.#server;
  }

  domain(name: string): SyntheticDomain {
    const domain = this.host.domains.get(name);
    assert.ok(domain !== undefined, `there is no domain ${name}`);
    return domain;
  }

  /** Returns how often the collector has called a procedure since the last call of this method. */
  newCalls(procedure: ProcedureName): number {
    const calls = this.host.calls.get(PROCEDURE[procedure]) ?? 0;
    this.host.calls.delete(PROCEDURE[procedure]);
    return calls;
  }

  /**
   * Runs a cycle, and then advances the clock by the interval. During the cycle time passes only while the collector sleeps
   * and no data is pending, so that a slow machine does not make the daemon look stuck.
   */
  async cycle(): Promise<EndpointCycle> {
    const begun = this.clock.monotonic();
    const running = { done: false };
    const result = this.collector.collect().finally(() => {
      running.done = true;
    });
    for (;;) {
      await turns();
      if (running.done) break;
      if (this.clock.sleeping > 0) await this.clock.advance(STEP_MS);
      else await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await this.clock.advance(Math.max(0, begun + INTERVAL_MS - this.clock.monotonic()));
    return result;
  }

  /** Runs a cycle without faults; resolves to domain name -> sample. */
  async samples(): Promise<ReadonlyMap<string, DomainSample>> {
    const { outcome, samples, errors, stuck } = await this.cycle();
    assert.deepEqual({ outcome, errors, stuck }, { outcome: "collected", errors: [], stuck: [] });
    return byName(samples);
  }

  /** Runs a cycle without faults; resolves to the sample of one domain. */
  async sample(name = "vm-001"): Promise<DomainSample> {
    const sample = (await this.samples()).get(name);
    assert.ok(sample !== undefined, `${name} has no sample`);
    return sample;
  }
}

export function byName(samples: readonly DomainSample[]): ReadonlyMap<string, DomainSample> {
  return new Map(samples.map((sample) => [sample.identity.name, sample]));
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
}
