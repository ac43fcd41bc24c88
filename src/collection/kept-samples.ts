import { DISK_COUNTERS, NIC_COUNTERS } from "../contract.ts";
import type {
  CpuSample,
  DiskSample,
  DomainIdentity,
  DomainSample,
  MemoryPoint,
  MemorySample,
  NicSample,
} from "./domain-sample.ts";

const CPU_COUNTERS = ["time", "user", "system"] as const satisfies readonly (keyof CpuSample)[];
const MEMORY_COUNTERS = [
  ...(["maximum", "current", "rss", "available", "usable"] as const),
  ...(["swapIn", "swapOut", "majorFault", "minorFault", "diskCaches"] as const),
] satisfies readonly (keyof MemorySample)[];
const NIC_NAMES = Object.keys(NIC_COUNTERS) as (keyof typeof NIC_COUNTERS)[];
const DISK_NAMES = Object.keys(DISK_COUNTERS) as (keyof typeof DISK_COUNTERS)[];

/**
 * The samples of one cycle of an endpoint, in arrays that are used again for a later cycle. V8 moves what lives longer than one
 * cycle to the heap of old objects, and collects that heap when it has grown. So samples that are kept as they are would make a
 * cycle in fifteen cost three times as much as the others.
 */
export class KeptSamples {
  #samples = 0;
  readonly #identities: DomainIdentity[] = [];
  readonly #readings: DomainSample["readings"][] = [];
  /** Device and its name in KubeVirt, one after the other. */
  readonly #names: (string | undefined)[] = [];
  /** What is not a counter. A value that is missing is NaN. */
  readonly #numbers: number[] = [];
  #counters = new BigUint64Array(0);
  /** For each counter 1 if there is a value, else 0. */
  #present = new Uint8Array(0);
  #restored: readonly DomainSample[] | undefined;

  constructor(samples: readonly DomainSample[] = []) {
    this.record(samples);
  }

  /** Number of samples. */
  get size(): number {
    return this.#samples;
  }

  /** Whether another part of the program may still read the samples. Then they must not be replaced. */
  isShared = false;

  /** Replaces all samples. Counters must be below 2^64, as libvirt's are. */
  record(samples: readonly DomainSample[]): void {
    this.#restored = undefined;
    this.#reserve(samples);
    const writer = new Writer(this.#names, this.#numbers, this.#counters, this.#present);
    this.#identities.length = this.#readings.length = this.#samples = samples.length;
    for (let index = 0; index < samples.length; index++) {
      const sample = samples[index];
      if (sample === undefined) continue;
      this.#identities[index] = sample.identity;
      this.#readings[index] = sample.readings;
      writer.sample(sample);
    }
    // So that no name of a device that is gone is held.
    this.#names.length = writer.names;
    this.#numbers.length = writer.numbers;
  }

  /** Returns whether these are samples of the same domains, in the same order. */
  isOfDomains(samples: readonly DomainSample[]): boolean {
    const identities = this.#identities;
    return samples.length === identities.length && samples.every(({ identity }, at) => identity === identities[at]);
  }

  /** The samples, as they were recorded. They are new objects, the same ones until the next `record`. */
  get samples(): readonly DomainSample[] {
    if (this.#restored !== undefined) return this.#restored;
    const reader = new Reader(this.#names, this.#numbers, this.#counters, this.#present);
    return (this.#restored = this.#identities.map((identity, index) => reader.sample(identity, this.#readings[index])));
  }

  /** Makes room for the counters. */
  #reserve(samples: readonly DomainSample[]): void {
    let needed = 0;
    for (const { nics, disks } of samples) {
      needed += CPU_COUNTERS.length + MEMORY_COUNTERS.length + 1;
      needed += (nics?.length ?? 0) * NIC_NAMES.length + (disks?.length ?? 0) * DISK_NAMES.length;
    }
    // Many domains may have gone.
    if (needed <= this.#present.length && this.#present.length <= 4 * needed) return;
    this.#counters = new BigUint64Array(needed);
    this.#present = new Uint8Array(needed);
  }
}

/** Writes the values of samples one after the other. */
class Writer {
  readonly #names: (string | undefined)[];
  readonly #numbers: number[];
  readonly #counters: BigUint64Array;
  readonly #present: Uint8Array;
  names = 0;
  numbers = 0;
  #at = 0;

  constructor(names: (string | undefined)[], numbers: number[], counters: BigUint64Array, present: Uint8Array) {
    this.#names = names;
    this.#numbers = numbers;
    this.#counters = counters;
    this.#present = present;
  }

  sample({ timestampMs, state, cpu, memory, nics, disks, previous }: DomainSample): void {
    this.#number(timestampMs);
    this.#number(state);
    this.#number(cpu.count);
    this.#number(memory.monotonicMs);
    this.#number(previous?.monotonicMs);
    this.#number(nics?.length);
    this.#number(disks?.length);
    for (const name of CPU_COUNTERS) this.#counter(cpu[name]);
    for (const name of MEMORY_COUNTERS) this.#counter(memory[name]);
    this.#counter(previous?.current);
    for (const nic of nics ?? []) {
      this.#device(nic.device, nic.network);
      for (const name of NIC_NAMES) this.#counter(nic[name]);
    }
    for (const disk of disks ?? []) {
      this.#device(disk.device, disk.volume);
      for (const name of DISK_NAMES) this.#counter(disk[name]);
    }
  }

  #number(value: number | undefined): void {
    this.#numbers[this.numbers++] = value ?? Number.NaN;
  }

  #device(device: string, alias: string | undefined): void {
    this.#names[this.names++] = device;
    this.#names[this.names++] = alias;
  }

  #counter(value: bigint | undefined): void {
    const at = this.#at++;
    this.#present[at] = value === undefined ? 0 : 1;
    if (value !== undefined) this.#counters[at] = value;
  }
}

/** Reads what a `Writer` has written. */
class Reader {
  readonly #names: readonly (string | undefined)[];
  readonly #numbers: readonly number[];
  readonly #counters: BigUint64Array;
  readonly #present: Uint8Array;
  #name = 0;
  #next = 0;
  #at = 0;

  constructor(
    names: readonly (string | undefined)[],
    numbers: readonly number[],
    counters: BigUint64Array,
    present: Uint8Array,
  ) {
    this.#names = names;
    this.#numbers = numbers;
    this.#counters = counters;
    this.#present = present;
  }

  sample(identity: DomainIdentity, readings: DomainSample["readings"]): DomainSample {
    const [timestampMs = 0, state, count] = [this.#number(), this.#number(), this.#number()];
    const [monotonicMs = 0, previousMs] = [this.#number(), this.#number()];
    const [nics, disks] = [this.#number(), this.#number()];
    const cpu: CpuSample = { count, ...this.#counted(CPU_COUNTERS) };
    const memory: MemorySample = { ...this.#counted(MEMORY_COUNTERS), monotonicMs };
    const previous = this.#previous(previousMs);
    return {
      timestampMs,
      identity,
      state,
      cpu,
      memory,
      nics: this.#devices(nics, (device, network): NicSample => {
        const name = network === undefined ? { device } : { device, network };
        return { ...name, ...this.#counted(NIC_NAMES) };
      }),
      disks: this.#devices(disks, (device, volume): DiskSample => {
        const name = volume === undefined ? { device } : { device, volume };
        return { ...name, ...this.#counted(DISK_NAMES) };
      }),
      previous,
      ...(readings !== undefined && { readings }),
    };
  }

  #previous(monotonicMs: number | undefined): MemoryPoint | undefined {
    const current = this.#counter();
    return current === undefined || monotonicMs === undefined ? undefined : { current, monotonicMs };
  }

  #devices<Device>(
    count: number | undefined,
    read: (device: string, alias: string | undefined) => Device,
  ): readonly Device[] | undefined {
    if (count === undefined) return undefined;
    return Array.from({ length: count }, () => {
      const [device = "", alias] = [this.#names[this.#name++], this.#names[this.#name++]];
      return read(device, alias);
    });
  }

  #counted<Name extends string>(names: readonly Name[]): Record<Name, bigint | undefined> {
    const values = {} as Record<Name, bigint | undefined>;
    for (const name of names) values[name] = this.#counter();
    return values;
  }

  #number(): number | undefined {
    const value = this.#numbers[this.#next++];
    return value === undefined || Number.isNaN(value) ? undefined : value;
  }

  #counter(): bigint | undefined {
    const at = this.#at++;
    return this.#present[at] === 1 ? this.#counters[at] : undefined;
  }
}
