import { systemClock, type Clock } from "../lib/clock.ts";
import type { TypedValue } from "../libvirt/types.ts";
import { SyntheticDomain, type DomainShape } from "./synthetic-domain.ts";

/** Seconds that the domains seem to have run when the simulator starts. */
const UPTIME_S = 3_600;

/** A bulk call that waits for a stuck domain, shared by all clients: the domain's job, in libvirt's words. */
export interface MonitorJobs {
  /** Domain name -> since when its monitor has been busy, on the host's clock. */
  readonly since: Map<string, number>;
}

/** What a simulated libvirt daemon knows. Tests change it while it is served. */
export class SimulatedHost {
  readonly domains = new Map<string, SyntheticDomain>();
  /** Names of domains whose QEMU does not answer. */
  readonly stuck = new Set<string>();
  /** Names of domains that a job of another client holds -> since when, on the host's clock. */
  readonly otherJobs = new Map<string, number>();
  /** Names of domains that migrate: what waits for their QEMU then looks like a job. */
  readonly migrating = new Set<string>();
  /** Names of domains that are defined and do not run. */
  readonly inactive = new Set<string>();
  /** How long a QEMU takes to answer its monitor. */
  monitorMs = 0;
  /** Names of domains whose QEMUs take as long instead. */
  readonly slowMs = new Map<string, number>();
  /** How long a QEMU takes for one command; a slow answer is that of several, one after the other. */
  commandMs = Number.POSITIVE_INFINITY;
  /** CPU statistics are answered after this. */
  cpuStatsReady: Promise<unknown> = Promise.resolve();
  /** Whether CPU times can be read from cgroups. */
  cgroups = true;
  /** Changes the statistics of a domain before they are sent. */
  adjust: (name: string, params: Map<string, TypedValue>) => void = () => undefined;
  /** Changes the XML of a domain before it is sent. */
  adjustXml: (name: string, xml: string) => string = (_name, xml) => xml;
  /** How often each procedure was called. */
  readonly calls = new Map<number, number>();
  readonly #clock: Clock;
  readonly #startedMs: number;
  #released = Promise.withResolvers<undefined>();
  #frozen: PromiseWithResolvers<undefined> | undefined;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
    this.#startedMs = clock.monotonic();
  }

  /** `count` domains with ids from 1. */
  static of(count: number, shape: DomainShape, clock?: Clock): SimulatedHost {
    const host = new SimulatedHost(clock);
    for (let index = 1; index <= count; index++) host.add(new SyntheticDomain(index, shape));
    return host;
  }

  get seconds(): number {
    return UPTIME_S + (this.#clock.monotonic() - this.#startedMs) / 1000;
  }

  get nowMs(): number {
    return this.#clock.monotonic();
  }

  add(domain: SyntheticDomain): void {
    this.domains.set(domain.ref.name, domain);
  }

  /** QEMU answers again: calls that wait for it go on. */
  release(name: string): void {
    this.stuck.delete(name);
    const released = this.#released;
    this.#released = Promise.withResolvers();
    released.resolve(undefined);
  }

  /** Whether asking the domain's QEMU takes time at this moment. */
  waitsFor(name: string): boolean {
    return this.#monitorMs(name) > 0 || this.stuck.has(name);
  }

  /** Resolves when the domain's QEMU has answered its monitor. */
  async answered(name: string): Promise<void> {
    while (this.stuck.has(name)) await this.#released.promise;
    await this.#clock.sleep(this.#monitorMs(name));
  }

  #monitorMs(name: string): number {
    return this.slowMs.get(name) ?? this.monitorMs;
  }

  /** The daemon itself stops answering whatever is asked, as a stopped process does. */
  freeze(): void {
    this.#frozen ??= Promise.withResolvers();
  }

  thaw(): void {
    this.#frozen?.resolve(undefined);
    this.#frozen = undefined;
  }

  /** Resolves when the daemon is not frozen. */
  async thawed(): Promise<void> {
    while (this.#frozen !== undefined) await this.#frozen.promise;
  }
}
