import { domainKey } from "../discovery/domain-name.ts";
import type { DomainSample } from "./domain-sample.ts";
import { DISK_DETAILS } from "./libvirt/disk-details.ts";
import { GUEST_MEMORY } from "./libvirt/guest-memory.ts";
import { VCPUS } from "./libvirt/vcpus.ts";
import type { SourceCycle } from "./source.ts";
import { BALLOON, CPU_TIMES, DEVICES, type StatsNeed } from "./stats-needs.ts";

/** The parts of a sample that only some cycles have, if their family has a schedule. */
const PARTS: readonly StatsNeed[] = [BALLOON, CPU_TIMES, DEVICES, DISK_DETAILS, GUEST_MEMORY, VCPUS];

/** A part that was not collected for longer than this is not known any more. Prometheus forgets a value after the same time. */
const MAX_AGE_MS = 300_000;

/** The last cycle of an endpoint, and for each part the last cycle that had to collect it. */
interface EndpointSamples {
  readonly samples: readonly DomainSample[];
  readonly parts: ReadonlyMap<StatsNeed, readonly DomainSample[]>;
}

/** A VM in the last cycle of its endpoint. */
export interface LatestVm {
  readonly sample: DomainSample;
  /** Returns the last sample that can have a part; undefined without one, or if it is too old. */
  readonly part: (need: StatsNeed) => DomainSample | undefined;
}

/** What is known of each VM since the last cycle. Samples are kept by reference, and nothing is copied. */
export class LatestSamples {
  readonly #endpoints = new Map<string, EndpointSamples>();

  /** `needs` are those that the cycle had to collect; undefined for all. After a cycle that failed nothing is known. */
  record({ endpoint, outcome, samples }: SourceCycle, needs: readonly StatsNeed[] | undefined): void {
    if (outcome === "skipped") return;
    if (outcome !== "collected") {
      this.#endpoints.delete(endpoint);
      return;
    }
    const before = this.#endpoints.get(endpoint)?.parts;
    const parts = new Map<StatsNeed, readonly DomainSample[]>();
    for (const part of PARTS) {
      const last = needs?.includes(part) === false ? before?.get(part) : samples;
      if (last !== undefined) parts.set(part, last);
    }
    this.#endpoints.set(endpoint, { samples, parts });
  }

  /** Forgets all other endpoints. */
  retain(endpoints: ReadonlySet<string>): void {
    for (const endpoint of this.#endpoints.keys()) if (!endpoints.has(endpoint)) this.#endpoints.delete(endpoint);
  }

  /** Returns the VMs of all endpoints, as they are now. */
  get vms(): readonly LatestVm[] {
    return [...this.#endpoints.values()].flatMap(vmsOf);
  }
}

function vmsOf({ samples, parts }: EndpointSamples): readonly LatestVm[] {
  const earlier = new Map(
    [...new Set(parts.values())]
      .filter((last) => last !== samples)
      .map((last) => [last, new Map(last.map((sample) => [domainKey(sample.identity), sample]))]),
  );
  return samples.map((sample) => ({
    sample,
    part: (need) => {
      const last = parts.get(need);
      if (last === undefined || last === samples) return last && sample;
      const before = earlier.get(last)?.get(domainKey(sample.identity));
      if (before === undefined) return undefined;
      return sample.memory.monotonicMs - before.memory.monotonicMs > MAX_AGE_MS ? undefined : before;
    },
  }));
}
