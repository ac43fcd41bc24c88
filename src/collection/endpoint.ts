import type { TelemetryError } from "../errors.ts";
import type { LibvirtError } from "../libvirt/errors.ts";
import type { DomainRef } from "../libvirt/types.ts";
import type { DomainName } from "./domain-history.ts";
import type { DomainSample } from "./domain-sample.ts";
import type { SilentDomains } from "./silences.ts";
import type { StatsNeed } from "./stats-needs.ts";

export interface CollectionSettings {
  /** Time for one cycle of one endpoint, in milliseconds; less than the interval. */
  readonly timeoutMs: number;
  readonly deviceCacheTtlMs: number;
  /** What the enabled measurements need; less is asked of the host when less is needed. */
  readonly needs: readonly StatsNeed[];
}

/** A libvirt daemon to collect from. */
export interface Endpoint {
  readonly socket: string;
  /**
   * Names a domain in this state (virDomainState and its reason, unknown if libvirt did not say); undefined when it is not
   * to be collected here. Labels and tags are the same objects for as long as they are the same. Without it a domain has
   * its own name and all are collected.
   * @throws {TelemetryError} when the domain must not be collected, which is reported
   */
  readonly identify?: (domain: DomainRef, state: number, reason: number | undefined) => DomainName | undefined;
  /** The daemon comes and goes with its guest: that nobody listens on its socket is then no failure. */
  readonly transient?: boolean;
}

/** What one cycle of one endpoint brought; the names are those of domains of which QEMU's values are missing. */
export interface EndpointCycle extends SilentDomains {
  readonly endpoint: string;
  /**
   * `skipped`: the circuit breaker did not let it try. `absent`: a transient daemon is not there. `starting`: it was
   * first seen less than a minute ago and does not answer, which is no fault yet.
   */
  readonly outcome: "collected" | "failed" | "skipped" | "absent" | "starting";
  readonly samples: readonly DomainSample[];
  /** What went wrong; samples may have been collected all the same. */
  readonly errors: readonly (LibvirtError | TelemetryError)[];
  /** What went wrong and is no fault yet, because the launcher or a domain is starting or a QEMU is slow. */
  readonly excused: readonly (LibvirtError | TelemetryError)[];
}
