import type { DiskSample, DomainSample, NicSample } from "../../src/collection/domain-sample.ts";

const UUID = "6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a01";

export function nic(device: string, overrides: Partial<NicSample> = {}): NicSample {
  return {
    device,
    rxBytes: 1000n,
    rxPackets: 10n,
    rxErrors: 1n,
    rxDrops: 2n,
    txBytes: 2000n,
    txPackets: 20n,
    txErrors: 3n,
    txDrops: 4n,
    ...overrides,
  };
}

export function disk(device: string, overrides: Partial<DiskSample> = {}): DiskSample {
  return {
    device,
    readRequests: 128n,
    readBytes: 524_288n,
    writeRequests: 256n,
    writeBytes: 1_048_576n,
    errors: 0n,
    ...overrides,
  };
}

/** Returns the sample of a running domain with two interfaces and a disk, in its second cycle. */
export function sample(overrides: Partial<DomainSample> = {}): DomainSample {
  return {
    timestampMs: 1_699_900_000_000,
    identity: { id: 1, uuid: UUID, name: "web" },
    state: 1,
    cpu: { count: 2, time: 9_000_000_000n, user: 6_000_000_000n, system: 3_000_000_000n },
    memory: {
      maximum: 1_048_576n,
      current: 786_432n,
      rss: 400_000n,
      available: 1_000_000n,
      usable: 600_000n,
      swapIn: 1n,
      swapOut: 2n,
      majorFault: 3n,
      minorFault: 4n,
      diskCaches: 5n,
      monotonicMs: 15_000,
    },
    nics: [nic("tap0"), nic("tap1")],
    disks: [disk("vda")],
    previous: { current: 786_432n - 5_000n, monotonicMs: 10_000 },
    ...overrides,
  };
}

/** As `sample`, of a domain whose second interface throws when its last counter is read: a bug in the middle of its lines. */
export function throwingSample(overrides: Partial<DomainSample> = {}): DomainSample {
  const broken = Object.defineProperty(nic("tap1"), "txDrops", {
    get: () => {
      throw new Error("a bug");
    },
  });
  return sample({ nics: [nic("tap0"), broken], ...overrides });
}
