import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import { LibvirtHost } from "../test/integration/support/libvirt-host.ts";
import { cpuMs } from "./process-usage.ts";

/** The node of the service levels. */
export const SHAPE = { domains: 50, nics: 2, disks: 3, vcpus: 2, memoryMiB: 24 } as const;
export const FIRST_DOMAIN = domainName(0);
/** KVM's statistics are a large part of the cost of some groups, so the guests use KVM where it is available. */
const GUEST_TYPE = existsSync("/dev/kvm") ? "kvm" : "qemu";
const DISK_BYTES = 1024 * 1024;
const REST_MS = 300;
/** An idle libvirtd uses less in that time. */
const REST_CPU_MS = 1;

/** CPU milliseconds of libvirtd and the QEMUs since their start. */
export interface NodeUsage {
  readonly libvirtd: number;
  readonly qemus: number;
}

/** A real libvirtd with paused guests. They use no CPU by themselves, so all their CPU is spent on answers. */
export class BenchNode {
  readonly socket: string;
  readonly #host: LibvirtHost;
  readonly #qemuPids: readonly number[];

  private constructor(host: LibvirtHost, qemuPids: readonly number[]) {
    this.#host = host;
    this.socket = host.socket;
    this.#qemuPids = qemuPids;
  }

  /** With cgroups, as on a plain KVM host. */
  static async start(resources: AsyncDisposableStack): Promise<BenchNode> {
    const host = resources.use(await LibvirtHost.start({ cgroups: true }));
    const pids: number[] = [];
    for (let index = 0; index < SHAPE.domains; index++) pids.push(await startGuest(host, domainName(index)));
    return new BenchNode(host, pids);
  }

  usage(): NodeUsage {
    return {
      libvirtd: cpuMs(this.#host.daemonPid),
      qemus: this.#qemuPids.reduce((sum, pid) => sum + cpuMs(pid), 0),
    };
  }

  /** Lets libvirtd write each command to a QEMU to a log, until `end`. */
  async logQmpCommands(): Promise<{ readonly commands: () => number; readonly end: () => Promise<unknown> }> {
    const file = path.join(this.#host.dir, "qmp.log");
    await this.#host.admin("daemon-log-outputs", `1:file:${file}`);
    await this.#host.admin("daemon-log-filters", "1:qemu.qemu_monitor");
    const before = commandsIn(file);
    return {
      commands: () => commandsIn(file) - before,
      end: () => this.#host.admin("daemon-log-filters", ""),
    };
  }

  /** Resolves when no call is being answered. */
  async rest(): Promise<void> {
    let before: number;
    do {
      before = cpuMs(this.#host.daemonPid);
      await setTimeout(REST_MS);
    } while (cpuMs(this.#host.daemonPid) - before > REST_CPU_MS);
  }
}

/** Returns the usage between two readings, divided by `times`. */
export function used(before: NodeUsage, after: NodeUsage, times: number): NodeUsage {
  return { libvirtd: (after.libvirtd - before.libvirtd) / times, qemus: (after.qemus - before.qemus) / times };
}

function commandsIn(file: string): number {
  return readFileSync(file, "utf8").match(/QEMU_MONITOR_SEND_MSG/g)?.length ?? 0;
}

function domainName(index: number): string {
  return `bench-${String(index).padStart(3, "0")}`;
}

async function startGuest(host: LibvirtHost, name: string): Promise<number> {
  const taps: string[] = [];
  for (let nic = 0; nic < SHAPE.nics; nic++) taps.push(await host.createTap());
  const disks: string[] = [];
  for (let disk = 0; disk < SHAPE.disks; disk++) disks.push(await host.createDisk(`${name}-${disk}`, DISK_BYTES));
  const { vcpus, memoryMiB } = SHAPE;
  await host.createGuest(name, { type: GUEST_TYPE, taps, disks, vcpus, memoryMiB });
  return host.qemuPid(name);
}
