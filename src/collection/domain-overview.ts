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

/**
 * Returns the domains of an endpoint's last cycle. `before` has the samples of the cycle before it, `devices` those of the last
 * cycles with devices, and `stuck` the names that libvirt has for the stuck domains. `details` are the results of `latestDetails`.
 */
export function domainOverviews({
  samples,
  before,
  devices = { before, samples },
  stuck,
  details,
}: {
  readonly samples: readonly DomainSample[];
  readonly before: readonly DomainSample[];
  readonly devices?: DeviceCycles;
  readonly stuck: readonly string[];
  readonly details: ReadonlyMap<string, DomainDetails>;
}): DomainOverview[] {
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

/** Returns `namespace/name`, or the name on a plain host. */
export function vmLabel({ namespace = "", name }: DomainIdentity): string {
  return namespace === "" ? name : `${namespace}/${name}`;
}

function libvirtNameOf({ namespace = "", name }: DomainIdentity): string {
  return namespace === "" ? name : domainNameOf({ namespace, name });
}
