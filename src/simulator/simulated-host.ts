import { systemClock, type Clock } from "../lib/clock.ts";
import type { DomainEvent, TypedValue } from "../libvirt/types.ts";
import { SyntheticDomain, type DomainShape } from "./synthetic-domain.ts";

/** Uptime of the domains when the simulator starts, in seconds. */
const UPTIME_S = 3_600;

/** Bulk calls that wait for a QEMU; libvirt calls them jobs. All clients of a server share them. */
export interface MonitorJobs {
  /** Domain name -> start of the wait, on the host's clock. */
  readonly since: Map<string, number>;
}

/** The state of a simulated libvirt daemon. Tests change it while a server uses it. */
export class SimulatedHost {
  readonly domains = new Map<string, SyntheticDomain>();
  /** Names of domains with a QEMU that does not answer. */
  readonly stuck = new Set<string>();
  /** Name of a domain that has a job of another client -> start of the job, on the host's clock. */
  readonly otherJobs = new Map<string, number>();
  /** Name of a domain that migrates to another host -> start of the job, on the host's clock. */
  readonly jobs = new Map<string, number>();
  /** Name of a domain -> statistics of its last job. Libvirt keeps none of a failed migration. */
  readonly endedJobs = new Map<string, ReadonlyMap<string, TypedValue>>();
  /** Names of domains that migrate: a call that waits for their QEMU then looks like a job. */
  readonly migrating = new Set<string>();
  /** Names of domains that are defined but do not run. */
  readonly inactive = new Set<string>();
  /** Milliseconds until a QEMU answers its monitor. */
  monitorMs = 0;
  /** Domain name -> milliseconds until its QEMU answers, instead of `monitorMs`. */
  readonly slowMs = new Map<string, number>();
  /** Milliseconds of one monitor command. A slow reply is several commands, one after the other. */
  commandMs = Number.POSITIVE_INFINITY;
  /** Replies with CPU statistics wait for this. */
  cpuStatsReady: Promise<unknown> = Promise.resolve();
  /** Whether the host has cgroups, from which libvirt reads CPU times. */
  cgroups = true;
  /** Changes the statistics of a domain before they are sent. */
  adjustStats: (name: string, params: Map<string, TypedValue>) => void = () => undefined;
  /** Changes the XML of a domain before it is sent. */
  adjustXml: (name: string, xml: string) => string = (_name, xml) => xml;
  /** Is called when the domains have been listed. */
  onListed: () => void = () => undefined;
  /** Send an event to the clients that have subscribed to it. */
  readonly onEvent = new Set<(event: DomainEvent) => void>();
  /** Procedure number -> number of calls. */
  readonly calls = new Map<number, number>();
  readonly #clock: Clock;
  readonly #startedMs: number;
  readonly #locks = new Map<string, PromiseWithResolvers<undefined>>();
  #released = Promise.withResolvers<undefined>();
  #frozen: PromiseWithResolvers<undefined> | undefined;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
    this.#startedMs = clock.monotonic();
  }

  /** Returns a host with `count` domains, whose ids begin at 1. */
  static of(count: number, shape: DomainShape, clock?: Clock): SimulatedHost {
    const host = new SimulatedHost(clock);
    for (let index = 1; index <= count; index++) host.addDomain(new SyntheticDomain(index, shape));
    return host;
  }

  /** Uptime of the domains, in seconds. */
  get uptimeS(): number {
    return UPTIME_S + (this.#clock.monotonic() - this.#startedMs) / 1000;
  }

  /** Seconds since the epoch. */
  get epochS(): number {
    return this.#clock.now() / 1000;
  }

  /** The host's monotonic clock, in milliseconds. */
  get nowMs(): number {
    return this.#clock.monotonic();
  }

  /** Lets something happen to a domain. */
  emit(event: DomainEvent): void {
    for (const send of this.onEvent) send(event);
  }

  addDomain(domain: SyntheticDomain): void {
    this.domains.set(domain.ref.name, domain);
  }

  /** Locks a domain, as the daemon does while it starts one: every call that looks at the domain waits, also a list of all. */
  lock(name: string): void {
    if (!this.#locks.has(name)) this.#locks.set(name, Promise.withResolvers());
  }

  unlock(name: string): void {
    this.#locks.get(name)?.resolve(undefined);
    this.#locks.delete(name);
  }

  /** Resolves once none of these domains is locked. */
  async unlocked(names: Iterable<string>): Promise<void> {
    for (const name of names) for (let lock; (lock = this.#locks.get(name)) !== undefined;) await lock.promise;
  }

  /** Lets a stuck QEMU answer again; calls that wait for it continue. */
  release(name: string): void {
    this.stuck.delete(name);
    const released = this.#released;
    this.#released = Promise.withResolvers();
    released.resolve(undefined);
  }

  /** Returns whether the domain's QEMU does not answer at once. */
  monitorTakesTime(name: string): boolean {
    return this.#monitorMs(name) > 0 || this.stuck.has(name);
  }

  /** Resolves when the domain's QEMU has answered. */
  async monitorAnswer(name: string): Promise<void> {
    while (this.stuck.has(name)) await this.#released.promise;
    await this.#clock.sleep(this.#monitorMs(name));
  }

  #monitorMs(name: string): number {
    return this.slowMs.get(name) ?? this.monitorMs;
  }

  /** Stops all replies of the daemon, as if its process were stopped. */
  freeze(): void {
    this.#frozen ??= Promise.withResolvers();
  }

  thaw(): void {
    this.#frozen?.resolve(undefined);
    this.#frozen = undefined;
  }

  /** Resolves once the daemon is not frozen. */
  async thawed(): Promise<void> {
    while (this.#frozen !== undefined) await this.#frozen.promise;
  }
}
