import type { RejectionReason } from "../budget.ts";
import type { Freshness } from "../contract.ts";
import type { DomainSample } from "./domain-sample.ts";
import type { StatsNeed } from "./stats-needs.ts";
import type { VmReportListener } from "./vm-report.ts";

/** A place to collect samples from, such as a libvirt daemon. It shares no state with other sources. */
export interface Source {
  /** Unique on the node; for libvirt the path of the socket. */
  readonly id: string;
  readonly stats: SourceStats;
  /** Runs one cycle, which collects these of the needs in its settings, or all. Never rejects; calls must not overlap. */
  collect(needs?: readonly StatsNeed[]): Promise<SourceCycle>;
  /** Applies to the next cycle. */
  configure(settings: SourceSettings): void;
  /** Ends all connections. */
  close(): void;
}

/** A source that was found on the node. The `Collector` creates it if it has no source with this id. */
export interface SourceFactory {
  readonly id: string;
  create(settings: SourceSettings): Source;
}

export interface SourceSettings {
  /** Time for one cycle of one source, in milliseconds; less than the interval. */
  readonly timeoutMs: number;
  readonly deviceCacheTtlMs: number;
  /** `GuestPeriod`: the values of needs with `mayBeKept` can be as old as the period of the guest. If not given, EveryCycle. */
  readonly freshness?: Freshness;
  /** What the enabled measurements need. A source collects nothing that costs extra and is not needed. */
  readonly needs: readonly StatsNeed[];
  /** Gets events and the progress of jobs when they arrive, also between two cycles. Must not throw. */
  readonly onReport?: VmReportListener;
}

/** The state of a source, for the status page and the metrics. */
export interface SourceStats {
  /** Versions of the connected daemons. */
  readonly versions: readonly string[];
  /** Versions of their QEMUs, if they are needed. */
  readonly qemuVersions?: readonly string[];
  /** Calls since the source was created. */
  readonly calls: number;
  /** Calls that wait for a stuck domain at this moment. */
  readonly blockedCalls: number;
}

/** Names of the domains whose hypervisor (QEMU) did not answer in a cycle, by reason. Their samples have fewer values. */
export interface UnansweredDomains {
  /** No answer for at least 10 seconds. */
  readonly stuck: readonly string[];
  /** A job of another client has blocked the domain for at least 10 seconds. */
  readonly busy: readonly string[];
  /** No answer for less than 10 seconds, or the domain is starting. Not a fault. */
  readonly slow: readonly string[];
}

/** Returns why domains have no values from QEMU, one sentence a reason. */
export function unansweredDomains({
  stuck,
  busy,
  slow = [],
}: Pick<UnansweredDomains, "stuck" | "busy"> & Partial<UnansweredDomains>): readonly string[] {
  const sentence = (why: string, domains: readonly string[]): readonly string[] =>
    domains.length === 0 ? [] : [`${why} ${domains.join(", ")}`];
  return [
    ...sentence("no answer from the QEMU of", stuck),
    ...sentence("busy with a job of another client:", busy),
    ...sentence("no answer yet from the QEMU of", slow),
  ];
}

/** An error with a code of docs/errors.md. */
export interface SourceError extends Error {
  readonly code: string;
  /** Set if the source exceeds its budget. */
  readonly rejection?: RejectionReason;
}

/** Returns whether an error means that a launcher does what KubeVirt's never do. The message names the VM, if it is known. */
export function isMisbehavior({ code, rejection }: Pick<SourceError, "code" | "rejection">): boolean {
  return (rejection !== undefined && rejection !== "SharedParameters") || code === "E_DOMAIN_FOREIGN";
}

/** Returns whether an error means that a launcher is sampled less often. A node with many large VMs has this without a fault. */
export function isSampledLessOften({ rejection }: Pick<SourceError, "rejection">): boolean {
  return rejection === "SharedParameters";
}

/** The result of one cycle of one source. */
export interface SourceCycle extends UnansweredDomains {
  /** The source's id. */
  readonly endpoint: string;
  /**
   * `skipped`: the last cycles failed, and the next attempt is not due. `absent`: the daemon of a launcher is not
   * running. `starting`: a launcher that was first seen less than a minute ago does not answer, which is not a fault.
   */
  readonly outcome: "collected" | "failed" | "skipped" | "absent" | "starting";
  readonly samples: readonly DomainSample[];
  /** Set if the samples lack statistics because the call for all domains failed. The families of the cycle are due again in the next one. */
  readonly lacksStatistics?: true;
  /** Failures. There may be samples too. */
  readonly errors: readonly SourceError[];
  /** Failures that are not faults yet: the launcher or a domain is starting, or QEMU is slow. */
  readonly tolerated: readonly SourceError[];
}

/** Returns whether a cycle has collected everything. A launcher without a daemon has nothing to collect. */
export function isComplete({ outcome, errors, tolerated, stuck, busy, slow }: SourceCycle): boolean {
  const missing = errors.length + tolerated.length + stuck.length + busy.length + slow.length;
  return outcome === "absent" || (outcome === "collected" && missing === 0);
}
