import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { BusyDomain } from "./busy-domain.ts";
import type { HostStats } from "../../src/collection/node-sample.ts";
import { migrationOn, type NodeMigration } from "../../src/discovery/named-domain.ts";
import type { VmiMigration } from "../../src/discovery/vmi.ts";
import type { Clock } from "../../src/lib/clock.ts";
import type { DomainEvent } from "../../src/libvirt/types.ts";
import { SimulatedHost } from "../../src/simulator/simulated-host.ts";
import type { SimulatorServer } from "../../src/simulator/server.ts";
import { startLauncher } from "../../test/integration/support/simulated-node.ts";

const SHAPE = { nics: 2, disks: 2, seed: 7 };
/** CPUs and memory of each node. */
const NODE = { cpus: 32, memoryKib: 64n * 1024n ** 2n } as const;
/** CPUs that the programs of a node keep busy besides its VMs. */
const OWN_CPUS = 1.5;
const OWN_KIB = 4n * 1024n ** 2n;
const SECOND_NS = 1_000_000_000n;

/** virDomainEventType and its detail. */
const STOPPED = 5;
const MIGRATED = 3;
const SUSPENDED = 3;
const BY_IO_ERROR = 2;
const RESUMED = 4;
/** virDomainEventIOErrorAction: pause. */
const PAUSES = 1;

interface Launcher {
  readonly domain: BusyDomain;
  readonly host: SimulatedHost;
  readonly server: SimulatorServer;
}

/** Launchers with busy VMs on some nodes, and what happens to them. */
export class SimulatedFleet implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #startedMs: number;
  /** Node -> its pods directory. */
  readonly #podsDirs = new Map<string, string>();
  /** `<namespace>_<name>` -> launcher. */
  readonly #launchers = new Map<string, Launcher>();
  readonly #nodeOf = new Map<string, string>();
  /** Node -> CPU time that VMs brought to it, subtracted, and that VMs left there. */
  readonly #leftNs = new Map<string, bigint>();
  readonly #migrations = new Map<string, VmiMigration>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedMs = clock.monotonic();
  }

  /** `vms`: node -> its VMs, as `<namespace>_<name>`. */
  async start(vms: Readonly<Record<string, readonly string[]>>): Promise<void> {
    let id = 0;
    for (const [node, names] of Object.entries(vms)) {
      // Short, because the path of a socket has at most 107 bytes.
      this.#podsDirs.set(node, await mkdtemp(path.join(tmpdir(), "pods-")));
      for (const name of names) await this.#boot(name, node, ++id);
    }
  }

  /** Returns the kubelet's pods directory of a node. */
  podsDir(node: string): string {
    return this.#podsDirs.get(node) ?? "";
  }

  /** Returns what the kernel of a node would show: the work of its VMs, and some of its own. */
  hostStats(node: string): HostStats {
    const infos = [...this.#launchers]
      .filter(([name]) => this.#nodeOf.get(name) === node)
      .map(([, { domain, host }]) => domain.info(host.uptimeS));
    const elapsedNs = BigInt(Math.round((this.#clock.monotonic() - this.#startedMs) * 1e6));
    // The guests of a node may have run for hours before they began to count here.
    const bootedNs = elapsedNs + 24n * 3_600n * SECOND_NS;
    const guestsNs = infos.reduce((sum, { cpuTimeNs }) => sum + cpuTimeNs, this.#leftNs.get(node) ?? 0n);
    const ownNs = (bootedNs * BigInt(Math.round(OWN_CPUS * 1000))) / 1000n;
    return {
      cpus: NODE.cpus,
      userNs: guestsNs + ownNs / 2n,
      kernelNs: ownNs / 2n,
      idleNs: bootedNs * BigInt(NODE.cpus) - guestsNs - ownNs,
      iowaitNs: 0n,
      memoryKib: NODE.memoryKib,
      freeKib: infos.reduce((free, { memoryKiB }) => free - memoryKiB, NODE.memoryKib - OWN_KIB),
    };
  }

  reboot(vm: string): void {
    this.#emit(vm, { name: "REBOOT", numbers: [] });
  }

  pause(vm: string): void {
    const { domain, host } = this.#launcher(vm);
    domain.pause(host.uptimeS);
    this.#emit(vm, { name: "IO_ERROR_REASON", device: "virtio-disk0", numbers: [PAUSES], reason: "enospc" });
    this.#emit(vm, { name: "LIFECYCLE", numbers: [SUSPENDED, BY_IO_ERROR] });
  }

  resume(vm: string): void {
    const { domain, host } = this.#launcher(vm);
    domain.resume(host.uptimeS);
    this.#emit(vm, { name: "LIFECYCLE", numbers: [RESUMED, 0] });
  }

  /** Returns what the VMI of a VM would say about its live migration to the agent of a node. */
  migrationOn(node: string, vm: string): NodeMigration | undefined {
    const migration = this.#migrations.get(vm);
    return migration && migrationOn(node, migration);
  }

  beginMigration(vm: string, targetNode: string): void {
    const { host } = this.#launcher(vm);
    const sourceNode = this.#nodeOf.get(vm) ?? "";
    this.#migrations.set(vm, {
      uid: `migration-of-${vm}`,
      sourceNode,
      targetNode,
      startedMs: this.#clock.now(),
      failed: false,
    });
    host.jobs.set(vm, host.nowMs);
    this.#emit(vm, { name: "MIGRATION_ITERATION", numbers: [1] });
  }

  /** The events of the source, which must reach the agent before `arrive` removes it. */
  endMigration(vm: string): void {
    const { domain, host } = this.#launcher(vm);
    const params = domain.migration(host.nowMs - (host.jobs.get(vm) ?? host.nowMs));
    host.jobs.delete(vm);
    this.#emit(vm, { name: "JOB_COMPLETED", numbers: [], params });
    this.#emit(vm, { name: "LIFECYCLE", numbers: [STOPPED, MIGRATED] });
  }

  async arrive(vm: string): Promise<void> {
    const { domain, host, server } = this.#launcher(vm);
    const migration = this.#migrations.get(vm);
    if (migration === undefined) throw new Error(`the VM ${vm} does not migrate`);
    await server[Symbol.asyncDispose]();
    const { sourceNode, targetNode } = migration;
    this.#count(sourceNode, domain.info(host.uptimeS).cpuTimeNs);
    await this.#boot(vm, targetNode, domain.ref.id);
    const arrived = this.#launcher(vm);
    arrived.domain.arrive();
    this.#count(targetNode, -arrived.domain.info(arrived.host.uptimeS).cpuTimeNs);
    this.#migrations.set(vm, { ...migration, endedMs: this.#clock.now() });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { server } of this.#launchers.values()) await server[Symbol.asyncDispose]();
    for (const directory of this.#podsDirs.values()) await rm(directory, { recursive: true, force: true });
  }

  #count(node: string, ns: bigint): void {
    this.#leftNs.set(node, (this.#leftNs.get(node) ?? 0n) + ns);
  }

  #launcher(vm: string): Launcher {
    const launcher = this.#launchers.get(vm);
    if (launcher === undefined) throw new Error(`the VM ${vm} is not simulated`);
    return launcher;
  }

  #emit(vm: string, event: Omit<DomainEvent, "domain">): void {
    const { domain, host } = this.#launcher(vm);
    host.emit({ ...event, domain: domain.ref });
  }

  async #boot(name: string, node: string, id: number): Promise<void> {
    const domain = new BusyDomain(id, SHAPE, { name, id });
    const host = new SimulatedHost(this.#clock);
    const server = await startLauncher(this.podsDir(node), domain, host);
    this.#launchers.set(name, { domain, host, server });
    this.#nodeOf.set(name, node);
  }
}
