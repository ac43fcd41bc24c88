import type { TypedParameters } from "../libvirt/types.ts";
import type { DomainIdentity } from "./domain-sample.ts";

/** What can happen to a VM: the values of the tag `event`. */
type EventKind =
  | "lifecycle"
  | "reboot"
  | "watchdog"
  | "io-error"
  | "job-completed"
  | "block-threshold"
  | "memory-failure"
  | "agent"
  | "device-added"
  | "device-removed"
  | "balloon"
  | "migration"
  /** Events above the limit of a VM, counted and not described. */
  | "left-out";

/** Something that happened to a VM, or several things that were only counted. */
export interface VmEvent {
  /**
   * When it arrived, or for a live migration the time in the VMI. In milliseconds since the epoch. No two events of one kind of a VM
   * have the same.
   */
  readonly timestampMs: number;
  readonly identity: DomainIdentity;
  readonly kind: EventKind;
  /** Words in kebab case: `stopped-crashed`. */
  readonly detail?: string;
  /** The alias or the target of a device. */
  readonly device?: string;
  readonly count: number;
}

/** The progress of a job of a VM, such as a live migration, or its end. */
export interface VmJob {
  /** Wall clock of libvirt's answer, in milliseconds since the epoch. */
  readonly timestampMs: number;
  readonly identity: DomainIdentity;
  /** In kebab case: `migration-out`. */
  readonly operation: string;
  /** The end of the job: whether it has succeeded. Undefined while it runs. */
  readonly success: boolean | undefined;
  /** Libvirt's statistics of the job, by their names. */
  readonly params: TypedParameters;
}

/** What a source reports between two cycles. */
export type VmReport = VmEvent | VmJob;

/** Receives the reports of a source when they arrive. `endpoint` is the source's id. */
export type VmReportListener = (report: VmReport, endpoint: string) => void;
