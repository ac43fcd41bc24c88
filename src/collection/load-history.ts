import type { DiskSample, DomainSample, NicSample } from "./domain-sample.ts";
import type { SourceCycle } from "./source.ts";

/** Number of cycles that are kept. */
export const HISTORY_CYCLES = 60;
/** VMs beyond this number have no history. */
const MAX_VMS = 4_096;
/** Numbers that a VM has: three values of each cycle. */
const VM_NUMBERS = 3 * HISTORY_CYCLES;
/** VMs whose numbers are in one array. An array of its own for each VM would take 300 bytes more. */
const BLOCK_VMS = 32;
/** Cycles in which the last known value is looked for. */
const RECENT_CYCLES = 12;

/** The load of a VM in the last cycles, the oldest first. A cycle without a value has NaN. */
export interface PastLoads {
  /** 100 is one full CPU of the host. */
  readonly cpuPercent: Float32Array;
  /** Read and written bytes per second, of all disks. */
  readonly diskBytes: Float32Array;
  /** Received and sent bytes per second, of all interfaces. */
  readonly netBytes: Float32Array;
}

/**
 * Keeps the load of each VM in the last 60 cycles for the status page. It is always on, so that the first page has a past: it keeps
 * about 1.6 KiB for each VM with two interfaces and three disks, and no object of a cycle. A cycle takes about 1.5 µs for each VM. A VM
 * that restarts or is missing has a gap. One that is missing for 60 cycles is forgotten.
 */
export class LoadHistory {
  /** Endpoint -> UUID of a domain -> its past. A launcher cannot write into the past of another. */
  readonly #endpoints = new Map<string, Map<string, VmHistory>>();
  #free: Place[] = [];
  #vms = 0;
  #cycle = 0;

  /** Records the samples that one endpoint has in the cycle that runs. */
  record({ endpoint, samples }: Pick<SourceCycle, "endpoint" | "samples">): void {
    if (samples.length === 0) return;
    let known = this.#endpoints.get(endpoint);
    if (known === undefined) this.#endpoints.set(endpoint, (known = new Map<string, VmHistory>()));
    for (const sample of samples) {
      const vm = known.get(sample.identity.uuid);
      if (vm !== undefined) vm.append(this.#cycle, sample);
      else if (this.#vms < MAX_VMS) {
        known.set(sample.identity.uuid, new VmHistory(this.#takePlace(), this.#cycle, sample));
        this.#vms++;
      }
    }
  }

  /** Ends a cycle of all endpoints. */
  endCycle(): void {
    for (const vms of this.#endpoints.values()) for (const vm of vms.values()) vm.endCycle(this.#cycle);
    this.#cycle++;
    if (this.#cycle % HISTORY_CYCLES === 0) this.#forget();
  }

  /** Returns the past of a VM; undefined if it has none. */
  of(endpoint: string, uuid: string): PastLoads | undefined {
    return this.#endpoints.get(endpoint)?.get(uuid)?.past(this.#cycle);
  }

  /** Returns the last known value of the last few cycles; undefined without one. Devices are not read in each cycle. */
  latest(endpoint: string, uuid: string, load: keyof PastLoads): number | undefined {
    return this.#endpoints.get(endpoint)?.get(uuid)?.latest(this.#cycle, load);
  }

  #forget(): void {
    for (const [endpoint, vms] of this.#endpoints) {
      for (const [uuid, vm] of vms) {
        if (this.#cycle - vm.lastCycle <= HISTORY_CYCLES) continue;
        vms.delete(uuid);
        this.#free.push(vm.place);
        this.#vms--;
      }
      if (vms.size === 0) this.#endpoints.delete(endpoint);
    }
    // Otherwise the blocks of many VMs stay for a few.
    if (this.#vms === 0) this.#free = [];
  }

  #takePlace(): Place {
    if (this.#free.length === 0) {
      const numbers = new Float32Array(BLOCK_VMS * VM_NUMBERS);
      this.#free = Array.from({ length: BLOCK_VMS }, (_, index) => ({ numbers, start: index * VM_NUMBERS }));
    }
    const place = this.#free.pop() ?? { numbers: new Float32Array(VM_NUMBERS), start: 0 };
    place.numbers.fill(Number.NaN, place.start, place.start + VM_NUMBERS);
    return place;
  }
}

const RINGS: Readonly<Record<keyof PastLoads, number>> = { cpuPercent: 0, diskBytes: 1, netBytes: 2 };

/** Where the numbers of a VM are: three rings, one after the other. */
interface Place {
  readonly numbers: Float32Array;
  readonly start: number;
}

/** The counters of the devices of one kind at one time, in arrays that are used again: see `KeptSamples`. */
class LastDevices<Device extends { readonly device: string }> {
  readonly #counters: readonly [keyof Device, keyof Device];
  /** Undefined if the devices were not known. */
  #devices: number | undefined;
  readonly #names: string[] = [];
  /** Both counters of each device. */
  readonly #values: number[] = [];
  #atMs = Number.NaN;

  constructor(counters: readonly [keyof Device, keyof Device]) {
    this.#counters = counters;
  }

  record(atMs: number, devices: readonly Device[] | undefined): void {
    this.#atMs = atMs;
    this.#devices = devices?.length;
    const [first, second] = this.#counters;
    const count = devices?.length ?? 0;
    this.#names.length = count;
    this.#values.length = 2 * count;
    for (let index = 0; index < count; index++) {
      const device = devices?.[index];
      if (device === undefined) continue;
      this.#names[index] = device.device;
      this.#values[2 * index] = Number(device[first]);
      this.#values[2 * index + 1] = Number(device[second]);
    }
  }

  /** Returns how fast both counters of all devices have grown, per second; NaN if there are other devices than before. */
  growthUntil(atMs: number, devices: readonly Device[] | undefined): number {
    if (devices === undefined || devices.length !== this.#devices) return Number.NaN;
    const [first, second] = this.#counters;
    let sum = 0;
    for (let index = 0; index < devices.length; index++) {
      const device = devices[index];
      if (device === undefined || device.device !== this.#names[index]) return Number.NaN;
      const growth =
        Number(device[first]) -
        (this.#values[2 * index] ?? Number.NaN) +
        (Number(device[second]) - (this.#values[2 * index + 1] ?? Number.NaN));
      if (!(growth >= 0)) return Number.NaN;
      sum += growth;
    }
    return perSecond(sum, atMs - this.#atMs);
  }
}

class VmHistory {
  readonly place: Place;
  #lastCycle: number;
  /** libvirt's number of the last run; undefined after a cycle without the VM. */
  #lastId: number | undefined;
  #lastMs = Number.NaN;
  #lastCpu = Number.NaN;
  /** Of the last sample of the same run with these devices. There may be cycles without devices between. */
  readonly #lastDisks = new LastDevices<DiskSample>(["readBytes", "writeBytes"]);
  readonly #lastNics = new LastDevices<NicSample>(["rxBytes", "txBytes"]);

  constructor(place: Place, cycle: number, sample: DomainSample) {
    this.place = place;
    this.#lastCycle = cycle;
    this.#record(sample, false);
  }

  /** The last cycle in which the VM had a sample. */
  get lastCycle(): number {
    return this.#lastCycle;
  }

  append(cycle: number, sample: DomainSample): void {
    const missed = Math.min(cycle - this.#lastCycle - 1, HISTORY_CYCLES);
    for (let back = 1; back <= missed; back++) this.#set(cycle - back, Number.NaN, Number.NaN, Number.NaN);
    this.#lastCycle = cycle;
    const { cpu, disks, nics } = sample;
    const { monotonicMs } = sample.memory;
    const isSameRun = this.#lastId === sample.identity.id;
    if (isSameRun)
      this.#set(
        cycle,
        perSecond(Number(cpu.time) - this.#lastCpu, monotonicMs - this.#lastMs) / 1e7,
        this.#lastDisks.growthUntil(monotonicMs, disks),
        this.#lastNics.growthUntil(monotonicMs, nics),
      );
    else this.#set(cycle, Number.NaN, Number.NaN, Number.NaN);
    this.#record(sample, isSameRun);
  }

  #record({ identity, cpu, memory: { monotonicMs }, disks, nics }: DomainSample, isSameRun: boolean): void {
    this.#lastId = identity.id;
    this.#lastMs = monotonicMs;
    this.#lastCpu = Number(cpu.time);
    if (!isSameRun || disks !== undefined) this.#lastDisks.record(monotonicMs, disks);
    if (!isSameRun || nics !== undefined) this.#lastNics.record(monotonicMs, nics);
  }

  /** Ends the run of a VM that had no sample in this cycle. */
  endCycle(cycle: number): void {
    if (this.#lastCycle < cycle) this.#lastId = undefined;
  }

  /** Returns the last cycles. `running` is the one that runs, in which the VM may not have a sample yet. */
  past(running: number): PastLoads {
    return {
      cpuPercent: this.#ring("cpuPercent", running),
      diskBytes: this.#ring("diskBytes", running),
      netBytes: this.#ring("netBytes", running),
    };
  }

  latest(running: number, load: keyof PastLoads): number | undefined {
    const end = this.#end(running);
    for (let cycle = end - 1; cycle >= end - RECENT_CYCLES; cycle--) {
      const value = this.#at(load, cycle);
      if (!Number.isNaN(value)) return value;
    }
    return undefined;
  }

  #ring(load: keyof PastLoads, running: number): Float32Array {
    const past = new Float32Array(HISTORY_CYCLES);
    const first = this.#end(running) - HISTORY_CYCLES;
    for (let index = 0; index < HISTORY_CYCLES; index++) past[index] = this.#at(load, first + index);
    return past;
  }

  #end(running: number): number {
    return Math.max(running, this.#lastCycle + 1);
  }

  #at(load: keyof PastLoads, cycle: number): number {
    // The place of a later cycle still holds the value of 60 cycles before.
    if (cycle < 0 || cycle > this.#lastCycle) return Number.NaN;
    return this.place.numbers[this.#indexOf(RINGS[load], cycle)] ?? Number.NaN;
  }

  #set(cycle: number, cpu: number, disk: number, net: number): void {
    this.place.numbers[this.#indexOf(RINGS.cpuPercent, cycle)] = cpu;
    this.place.numbers[this.#indexOf(RINGS.diskBytes, cycle)] = disk;
    this.place.numbers[this.#indexOf(RINGS.netBytes, cycle)] = net;
  }

  #indexOf(ring: number, cycle: number): number {
    return this.place.start + ring * HISTORY_CYCLES + (cycle % HISTORY_CYCLES);
  }
}

// A value that libvirt did not report is NaN here, and so is everything that is computed from it. The counters are numbers: the bits
// that a number of this size lacks do not show in a picture.

/** Returns NaN if a counter was reset, or no time has passed. */
function perSecond(grown: number, ms: number): number {
  return ms > 0 && grown >= 0 ? (grown / ms) * 1000 : Number.NaN;
}
