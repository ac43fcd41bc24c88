import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import type { LauncherBudget } from "../../src/budget.ts";
import type { DomainSample } from "../../src/collection/domain-sample.ts";
import { LibvirtSource } from "../../src/collection/libvirt/libvirt-source.ts";
import type { Endpoint } from "../../src/collection/libvirt/endpoint.ts";
import type { SourceCycle, SourceSettings } from "../../src/collection/source.ts";
import { PROCEDURE, type ProcedureName } from "../../src/libvirt/protocol.ts";
import { SimulatedHost } from "../../src/simulator/simulated-host.ts";
import { SimulatorServer } from "../../src/simulator/server.ts";
import type { SyntheticDomain, DomainShape } from "../../src/simulator/synthetic-domain.ts";
import { FakeClock } from "./fake-clock.ts";
import { turns } from "./turns.ts";
import { BALLOON, CPU_TIMES, DEVICES } from "../../src/collection/stats-needs.ts";
import { atEnd } from "./at-end.ts";

/** Turns of the event loop after which two sockets of one process have exchanged all pending data. */
const TURNS = 60;
/** By how much the clock advances while a cycle waits. */
const STEP_MS = 25;

const SETTINGS: SourceSettings = {
  timeoutMs: 4_000,
  deviceCacheTtlMs: 300_000,
  needs: [DEVICES, BALLOON, CPU_TIMES],
};

export interface EndpointOptions {
  readonly domains?: number;
  readonly shape?: DomainShape;
  readonly settings?: Partial<SourceSettings>;
  readonly identify?: NonNullable<Endpoint["identify"]>;
  /** The daemon is a launcher's. */
  readonly transient?: boolean;
  /** Of the launcher of shop/web. */
  readonly budget?: LauncherBudget;
  readonly intervalMs?: number;
  /** The deadlines of calls pass by the clock of the cycle, and not in real time: for a daemon that does not answer. */
  readonly fakeDeadlines?: boolean;
}

/** A simulated daemon on a socket of its own and its source, both with the same fake clock. */
export class SimulatedEndpoint {
  readonly clock = new FakeClock();
  readonly host: SimulatedHost;
  readonly source: LibvirtSource;
  readonly shape: DomainShape;
  readonly #socketPath: string;
  readonly #intervalMs: number;
  #server: SimulatorServer | undefined;
  #timers: TestContext["mock"]["timers"] | undefined;

  private constructor(socketPath: string, { domains = 3, shape, settings, identify, ...options }: EndpointOptions) {
    const { transient = false, intervalMs = 5_000, budget } = options;
    this.#intervalMs = intervalMs;
    this.shape = shape ?? { nics: 2, disks: 3, seed: 7 };
    this.#socketPath = socketPath;
    this.host = SimulatedHost.of(domains, this.shape, this.clock);
    const named: Endpoint = {
      socket: socketPath,
      transient,
      ...(identify !== undefined && { identify }),
      ...(budget !== undefined && { budget, vm: "shop/web" }),
    };
    this.source = new LibvirtSource(named, { ...SETTINGS, timeoutMs: 0.8 * intervalMs, ...settings }, this.clock);
  }

  /** Starts the daemon. Everything is removed when the test ends. */
  static async start(t: TestContext, options: EndpointOptions = {}): Promise<SimulatedEndpoint> {
    const directory = await mkdtemp(path.join(tmpdir(), "endpoint-"));
    const endpoint = new SimulatedEndpoint(path.join(directory, "libvirt-sock-ro"), options);
    await endpoint.startDaemon();
    if (options.fakeDeadlines === true) {
      endpoint.#timers = t.mock.timers;
      endpoint.#timers.enable({ apis: ["setTimeout"] });
    }
    atEnd(t, async () => {
      endpoint.source.close();
      for (const name of endpoint.host.stuck) endpoint.host.release(name);
      endpoint.host.thaw();
      await endpoint.stopDaemon();
      await rm(directory, { recursive: true, force: true });
    });
    return endpoint;
  }

  /** As `start`, with domains that have been known for a minute, so that they no longer count as starting. */
  static async old(t: TestContext, options: EndpointOptions = {}): Promise<SimulatedEndpoint> {
    const endpoint = await SimulatedEndpoint.start(t, options);
    await endpoint.samples();
    await endpoint.clock.advance(60_000);
    return endpoint;
  }

  async startDaemon(): Promise<void> {
    this.#server = await SimulatorServer.start(this.#socketPath, this.host);
  }

  async stopDaemon(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    this.#server = undefined;
    // The source notices the end of its connection, as it would between two cycles.
    await turns(TURNS);
  }

  /** The number of connections to the daemon. */
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

  /** Returns the number of calls of a procedure since this function was last called for it. */
  newCalls(procedure: ProcedureName): number {
    const calls = this.host.calls.get(PROCEDURE[procedure]) ?? 0;
    this.host.calls.delete(PROCEDURE[procedure]);
    return calls;
  }

  /**
   * Runs a cycle, then lets the interval pass. During the cycle, time passes only while the source sleeps and no socket
   * has pending data, so that the daemon does not look stuck on a slow machine. `needs` are those of the cycle, or all.
   */
  async cycle(needs?: SourceSettings["needs"]): Promise<SourceCycle> {
    const begun = this.clock.monotonic();
    const running = { done: false };
    const result = this.source.collect(needs).finally(() => {
      running.done = true;
    });
    for (;;) {
      await turns(TURNS);
      if (running.done) break;
      if (this.clock.sleeping > 0) await this.clock.advance(STEP_MS);
      else if (this.#timers !== undefined) this.#timers.tick(STEP_MS);
      else await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await this.clock.advance(Math.max(0, begun + this.#intervalMs - this.clock.monotonic()));
    return result;
  }

  /** Runs a cycle without any error. Returns its samples by domain name. */
  async samples(): Promise<ReadonlyMap<string, DomainSample>> {
    const { samples, ...cycle } = await this.cycle();
    const none = { errors: [], tolerated: [], stuck: [], busy: [], slow: [] };
    assert.deepEqual(cycle, { endpoint: this.#socketPath, outcome: "collected", ...none });
    return byName(samples);
  }

  /** Runs a cycle without any error. Returns the sample of one domain. */
  async sample(name = "vm-001"): Promise<DomainSample> {
    const sample = (await this.samples()).get(name);
    assert.ok(sample !== undefined, `${name} has no sample`);
    return sample;
  }
}

export function byName(samples: readonly DomainSample[]): ReadonlyMap<string, DomainSample> {
  return new Map(samples.map((sample) => [sample.identity.name, sample]));
}
