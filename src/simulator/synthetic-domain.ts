import type { DomainInfo, DomainRef, TypedValue, VcpuInfo } from "../libvirt/types.ts";
import { DOMAIN_STATE, STATS_GROUP, VCPU_STATE } from "../libvirt/protocol.ts";

/** VIR_DOMAIN_RUNNING_BOOTED. */
const BOOTED = 1;
/** Seconds between two updates of the balloon driver's values, as KubeVirt sets it. */
const GUEST_PERIOD_S = 10;
const GIB = 1024n ** 3n;
/** VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT. */
const MIGRATION_OUT = 5;

export interface DomainShape {
  readonly nics: number;
  readonly disks: number;
  readonly seed: number;
  /** Seconds between two reports of the guest's memory. */
  readonly guestPeriodS?: number;
}

/** A domain whose counters grow with time. The same seed and index give the same domain. */
export class SyntheticDomain {
  readonly ref: DomainRef;
  readonly #shape: DomainShape;
  readonly #guestPeriodS: number;
  readonly #random: () => number;
  /** Per second: CPU nanoseconds, packets, requests. */
  readonly #rates: { readonly cpu: number; readonly packets: number; readonly requests: number };
  readonly #memoryKiB: number;
  readonly #vcpus: number;
  /** Part of each disk that is allocated at the start, from 0.2 to 0.9. */
  readonly #fill: number;
  /** Numbers of unplugged vCPUs, initially empty. Libvirt counts them only in the maximum. */
  readonly offlineVcpus = new Set<number>();

  /** `identity` replaces parts of what the index gives, such as the id after a restart, or the name. */
  constructor(index: number, shape: DomainShape, identity: Partial<DomainRef> = {}) {
    this.#shape = shape;
    this.#guestPeriodS = shape.guestPeriodS ?? GUEST_PERIOD_S;
    this.#random = mulberry32(shape.seed * 65_537 + index);
    const hex = Array.from({ length: 32 }, () => Math.floor(this.#random() * 16).toString(16)).join("");
    const uuid = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
    this.ref = { name: `vm-${String(index).padStart(3, "0")}`, uuid, id: index, ...identity };
    this.#vcpus = 1 << Math.floor(this.#random() * 4);
    this.#memoryKiB = (1 << Math.floor(this.#random() * 4)) * 1024 * 1024;
    this.#rates = {
      cpu: this.#random() * this.#vcpus * 0.8e9,
      packets: 50 + this.#random() * 5_000,
      requests: 5 + this.#random() * 500,
    };
    this.#fill = 0.2 + this.#random() * 0.7;
  }

  info(seconds: number): DomainInfo {
    return {
      state: DOMAIN_STATE.RUNNING,
      maxMemoryKiB: BigInt(this.#memoryKiB),
      memoryKiB: this.#memory(seconds),
      vcpus: this.#vcpus - this.offlineVcpus.size,
      cpuTimeNs: this.#cpuTime(seconds),
    };
  }

  /** Returns the statistics of a live migration that began `elapsedMs` ago: 512 MiB a second, in passes over the memory. */
  migration(elapsedMs: number): Map<string, TypedValue> {
    const total = BigInt(this.#memoryKiB) * 1024n;
    const rate = 512n * 1024n ** 2n;
    const processed = (rate * BigInt(Math.round(elapsedMs))) / 1000n;
    // Each pass leaves the memory that the guest has written meanwhile.
    const pass = processed / total;
    const remaining = (total - (processed % total)) >> (pass > 6n ? 6n : pass);
    return new Map<string, TypedValue>([
      ["operation", MIGRATION_OUT],
      ["time_elapsed", BigInt(Math.round(elapsedMs))],
      ["time_remaining", (remaining * 1000n) / rate],
      ["downtime", 80n],
      ["setup_time", 12n],
      ["data_total", total],
      ["data_processed", processed],
      ["data_remaining", remaining],
      ["memory_bps", rate],
      ["memory_dirty_rate", 2_000n],
      ["memory_iteration", pass + 1n],
      ["auto_converge_throttle", 0],
    ]);
  }

  cpuStats(seconds: number): Map<string, TypedValue> {
    const time = this.#cpuTime(seconds);
    return new Map([
      ["cpu_time", time],
      ["user_time", (time * 7n) / 10n],
      ["system_time", (time * 3n) / 10n],
    ]);
  }

  /** Returns the online vCPUs. They share the CPU time evenly; each stays on one of 64 host CPUs. */
  vcpus(seconds: number): VcpuInfo[] {
    const online = Array.from({ length: this.#vcpus }, (_, number) => number).filter(
      (number) => !this.offlineVcpus.has(number),
    );
    const cpuTimeNs = this.#cpuTime(seconds) / BigInt(Math.max(1, online.length));
    return online.map((number) => ({
      number,
      state: VCPU_STATE.RUNNING,
      cpuTimeNs,
      cpu: this.#cpuOf(number),
    }));
  }

  #cpuOf(vcpu: number): number {
    return (this.ref.id * 8 + vcpu) % 64;
  }

  /**
   * Returns the bulk statistics of `groups`. With `monitor` false, QEMU does not answer and its values are missing.
   * `seconds` is the uptime, `epochS` the time of day.
   */
  stats(groups: number, seconds: number, monitor: boolean, epochS = seconds): Map<string, TypedValue> {
    const params = new Map<string, TypedValue>();
    if (groups & STATS_GROUP.STATE) params.set("state.state", DOMAIN_STATE.RUNNING).set("state.reason", BOOTED);
    if (groups & STATS_GROUP.CPU_TOTAL) {
      const time = this.#cpuTime(seconds);
      params
        .set("cpu.time", time)
        .set("cpu.user", (time * 7n) / 10n)
        .set("cpu.system", (time * 3n) / 10n)
        .set("cpu.haltpoll.success.time", time / 50n)
        .set("cpu.haltpoll.fail.time", time / 200n);
    }
    if (groups & STATS_GROUP.BALLOON) this.#balloon(params, seconds, monitor, epochS);
    if (groups & STATS_GROUP.VCPU) this.#vcpuCounters(params, seconds);
    if (groups & STATS_GROUP.INTERFACE) this.#interfaces(params, seconds);
    if (groups & STATS_GROUP.BLOCK) this.#blocks(params, seconds, monitor);
    return params;
  }

  xml(): string {
    const disks = this.#diskNames().map(
      (dev) =>
        `<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none' discard='unmap'/><serial>${dev}-${this.ref.uuid.slice(0, 8)}</serial><iotune><total_bytes_sec>209715200</total_bytes_sec><total_iops_sec>2000</total_iops_sec></iotune><target dev='${dev}' bus='virtio'/></disk>`,
    );
    const nics = this.#nicNames().map(
      (dev, index) =>
        `<interface type='bridge'><source bridge='br0'/><mac address='52:54:00:${this.ref.uuid.slice(0, 2)}:${this.ref.uuid.slice(2, 4)}:${(index % 256).toString(16).padStart(2, "0")}'/><model type='virtio'/><mtu size='1450'/><target dev='${dev}'/></interface>`,
    );
    const pins = Array.from(
      { length: this.#vcpus },
      (_, vcpu) => `<vcpupin vcpu='${vcpu}' cpuset='${this.#cpuOf(vcpu)}'/>`,
    );
    return `<domain type='kvm' id='${this.ref.id}'><name>${escapeXml(this.ref.name)}</name><uuid>${this.ref.uuid}</uuid><vcpu>${this.#vcpus}</vcpu><cputune>${pins.join("")}</cputune>
<os><type arch='x86_64' machine='pc-q35-9.2'>hvm</type><loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE.fd</loader></os>
<cpu mode='custom'><model>Skylake-Server</model></cpu><devices>
${disks.join("\n")}
<disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>
${nics.join("\n")}
<memballoon model='virtio'><stats period='${this.#guestPeriodS}'/></memballoon>
</devices></domain>`;
  }

  #nicNames(): string[] {
    return Array.from(
      { length: this.#shape.nics },
      (_, index) => `vnet${(this.ref.id - 1) * this.#shape.nics + index}`,
    );
  }

  #diskNames(): string[] {
    return Array.from({ length: this.#shape.disks }, (_, index) => `vd${diskLetters(index)}`);
  }

  #cpuTime(seconds: number): bigint {
    return BigInt(Math.round(seconds * this.#rates.cpu));
  }

  /** Swings by a tenth, so that the memory has a rate. */
  #memory(seconds: number): bigint {
    return BigInt(Math.round(this.#memoryKiB * (0.9 + 0.1 * Math.sin(seconds / 30 + this.ref.id))));
  }

  #balloon(params: Map<string, TypedValue>, seconds: number, monitor: boolean, epochS: number): void {
    const current = this.#memory(seconds);
    params.set("balloon.current", current).set("balloon.maximum", BigInt(this.#memoryKiB));
    if (!monitor) return;
    // The guest has sent its values at its last update.
    const sinceUpdateS = epochS % this.#guestPeriodS;
    const faults = BigInt(Math.round((seconds - sinceUpdateS) * 20));
    const seen = this.#memory(seconds - sinceUpdateS);
    params.set("balloon.swap_in", 0n).set("balloon.swap_out", 0n);
    params.set("balloon.major_fault", faults / 10n).set("balloon.minor_fault", faults);
    params.set("balloon.unused", seen / 2n).set("balloon.available", seen - 40_000n);
    params.set("balloon.usable", (seen * 6n) / 10n).set("balloon.disk_caches", seen / 8n);
    params.set("balloon.hugetlb_pgalloc", 0n).set("balloon.hugetlb_pgfail", 0n);
    params.set("balloon.last-update", BigInt(Math.floor(epochS / this.#guestPeriodS) * this.#guestPeriodS));
    // The guest has touched all of its memory, and QEMU needs some for itself.
    params.set("balloon.rss", current + 90_000n);
  }

  /** Libvirt reads these from /proc, also if QEMU does not answer. Wait is 1 % of the CPU time, delay about 5 %. */
  #vcpuCounters(params: Map<string, TypedValue>, seconds: number): void {
    const online = this.vcpus(seconds);
    params.set("vcpu.current", online.length).set("vcpu.maximum", this.#vcpus);
    for (const { number, state, cpuTimeNs } of online) {
      params
        .set(`vcpu.${number}.state`, state)
        .set(`vcpu.${number}.time`, cpuTimeNs)
        .set(`vcpu.${number}.wait`, cpuTimeNs / 100n)
        .set(`vcpu.${number}.delay`, cpuTimeNs / BigInt(20 + number));
    }
  }

  #interfaces(params: Map<string, TypedValue>, seconds: number): void {
    const names = this.#nicNames();
    params.set("net.count", names.length);
    for (const [index, name] of names.entries()) {
      const packets = BigInt(Math.round((seconds * this.#rates.packets) / (index + 1)));
      const of = (field: string, value: bigint): unknown => params.set(`net.${index}.${field}`, value);
      params.set(`net.${index}.name`, name);
      of("rx.bytes", packets * 800n);
      of("rx.pkts", packets);
      of("rx.errs", 0n);
      of("rx.drop", packets / 100_000n);
      of("tx.bytes", packets * 500n);
      of("tx.pkts", (packets * 9n) / 10n);
      of("tx.errs", 0n);
      of("tx.drop", 0n);
    }
  }

  #blocks(params: Map<string, TypedValue>, seconds: number, monitor: boolean): void {
    const names = [...this.#diskNames(), "sda"];
    params.set("block.count", names.length);
    for (const [index, name] of names.entries()) {
      const requests = name === "sda" ? 0n : BigInt(Math.round((seconds * this.#rates.requests) / (index + 1)));
      const of = (field: string, value: bigint): unknown => params.set(`block.${index}.${field}`, value);
      params
        .set(`block.${index}.name`, name)
        .set(`block.${index}.path`, `/var/lib/simulated/${this.ref.name}-${name}.img`);
      if (!monitor) continue;
      of("rd.reqs", requests);
      of("rd.bytes", requests * 16_384n);
      // Reads take 0.25 ms on the first disk, and each disk is slower than the one before it.
      const slower = BigInt(index + 1);
      of("rd.times", requests * 250_000n * slower);
      of("wr.reqs", requests / 2n);
      of("wr.bytes", requests * 4_096n);
      of("wr.times", requests * 300_000n * slower);
      of("fl.reqs", requests / 20n);
      of("fl.times", requests * 50_000n);
      // A thin image: the guest's writes allocate a little more of it.
      const capacity = 20n * GIB;
      const allocation = BigInt(Math.round(Number(capacity) * this.#fill)) + requests * 512n;
      of("capacity", capacity);
      of("allocation", allocation < capacity ? allocation : capacity);
      of("physical", allocation < capacity ? allocation : capacity);
    }
  }
}

function escapeXml(text: string): string {
  return text.replace(/[<>&]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Returns the letters of a disk name, as libvirt counts: a, b, ... z, aa, ab, ... */
function diskLetters(index: number): string {
  const last = String.fromCharCode(97 + (index % 26));
  return index < 26 ? last : diskLetters(Math.floor(index / 26) - 1) + last;
}

/** Returns a generator of pseudo-random numbers in [0, 1) for a seed. By Tommy Ettinger (public domain). */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
