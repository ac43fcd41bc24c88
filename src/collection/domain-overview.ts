import { domainKey, domainNameOf } from "../discovery/domain-name.ts";
import type { DomainDetails } from "./domain-details.ts";
import { lastLoads, type DeviceCycles, type DomainLoad } from "./domain-load.ts";
import type { DomainIdentity, DomainSample } from "./domain-sample.ts";

/** A domain as `top` and the status page show it. */
export interface DomainOverview {
  /** `namespace/name`, or its name on a plain host. */
  readonly label: string;
  readonly sample: DomainSample;
  /** Undefined until there are two samples. */
  readonly load: DomainLoad | undefined;
  /** Whether its QEMU is stuck. */
  readonly stuck: boolean;
  /** Of families that are off by default; undefined without them. */
  readonly details: DomainDetails | undefined;
}

/** The last cycles of an endpoint. */
export interface LastCycles {
  readonly samples: readonly DomainSample[];
  readonly before: readonly DomainSample[];
  /** The last two cycles with devices; if not given, they are these two. */
  readonly devices?: DeviceCycles;
  /** The names that libvirt has for the stuck domains. */
  readonly stuck: readonly string[];
  /** The result of `latestDetails`. */
  readonly details: ReadonlyMap<string, DomainDetails>;
}

/** Returns the domains of an endpoint's last cycle. */
export function domainOverviews({
  samples,
  before,
  devices = { before, samples },
  stuck,
  details,
}: LastCycles): DomainOverview[] {
  const loads = lastLoads(before, samples, devices);
  const isStuck = new Set(stuck);
  return samples.map((sample) => ({
    label: vmLabel(sample.identity),
    sample,
    load: loads.get(sample),
    stuck: isStuck.has(libvirtNameOf(sample.identity)),
    details: details.get(domainKey(sample.identity)),
  }));
}

/** Returns the cycles with these domains of the last one alone, so that the others cost nothing. */
export function onlyDomains(cycles: LastCycles, samples: readonly DomainSample[]): LastCycles {
  const keys = new Set(samples.map(({ identity }) => domainKey(identity)));
  const only = (all: readonly DomainSample[]): readonly DomainSample[] =>
    all.filter(({ identity }) => keys.has(domainKey(identity)));
  const before = only(cycles.before);
  const { devices = cycles } = cycles;
  const isSame = devices.before === cycles.before && devices.samples === cycles.samples;
  return {
    ...cycles,
    samples,
    before,
    devices: isSame ? { before, samples } : { before: only(devices.before), samples: only(devices.samples) },
  };
}

/** Returns `namespace/name`, or the name on a plain host. */
export function vmLabel({ namespace = "", name }: DomainIdentity): string {
  return namespace === "" ? name : `${namespace}/${name}`;
}

function libvirtNameOf({ namespace = "", name }: DomainIdentity): string {
  return namespace === "" ? name : domainNameOf({ namespace, name });
}
