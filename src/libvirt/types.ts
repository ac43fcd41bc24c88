import type { DomainEventName } from "./protocol.ts";

/** Libvirt's reference to a domain. */
export interface DomainRef {
  readonly name: string;
  /** Lower-case with dashes. */
  readonly uuid: string;
  /** -1 when the domain is not running. */
  readonly id: number;
}

/** A 64-bit float of a typed parameter. A number would not show whether 3 is an integer or a float. */
export class Double {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** Value of a typed parameter. 32-bit integers are numbers, 64-bit integers are bigints, to be exact. */
export type TypedValue = number | bigint | boolean | string | Double;

export type TypedParameters = Omit<ReadonlyMap<string, TypedValue>, "forEach">;

export interface DomainStats {
  readonly domain: DomainRef;
  readonly params: TypedParameters;
}

/** DOMAIN_GET_INFO. Libvirt answers it without QEMU. */
export interface DomainInfo {
  /** DOMAIN_STATE. */
  readonly state: number;
  readonly maxMemoryKiB: bigint;
  readonly memoryKiB: bigint;
  readonly vcpus: number;
  readonly cpuTimeNs: bigint;
}

/** DOMAIN_GET_VCPUS: one vCPU. */
export interface VcpuInfo {
  readonly number: number;
  /** VCPU_STATE. */
  readonly state: number;
  readonly cpuTimeNs: bigint;
  /** The host CPU that it runs on; negative if libvirt does not know. */
  readonly cpu: number;
}

/** DOMAIN_GET_CONTROL_INFO: whether a monitor command or a job is outstanding. Libvirt answers it without QEMU. */
export interface DomainControlInfo {
  /** CONTROL_STATE. */
  readonly state: number;
  /** CONTROL_ERROR if the state is ERROR. */
  readonly details: number;
  /** Milliseconds since the monitor command was sent (OCCUPIED) or the job began (JOB); 0 in other states. */
  readonly stateTimeMs: number;
}

/** DOMAIN_GET_JOB_STATS. Libvirt asks QEMU while a job runs. */
export interface DomainJobStats {
  /** JOB_TYPE. */
  readonly type: number;
  readonly params: TypedParameters;
}

/** An event of a domain. Each kind has some of the values; `domain-events.ts` says which. */
export interface DomainEvent {
  readonly name: DomainEventName;
  /** Its id is -1 if the event was sent after the end of the run. */
  readonly domain: DomainRef;
  /** The numbers of the message in their order, values of libvirt's enums. */
  readonly numbers: readonly number[];
  /** A device: its alias, or for jobs and thresholds its target. */
  readonly device?: string;
  /** QEMU's reason for an I/O error; may be empty. */
  readonly reason?: string;
  /** The statistics of a job that has ended. */
  readonly params?: TypedParameters;
}

export interface CallOptions {
  /**
   * Milliseconds until the call fails with E_LIBVIRT_TIMEOUT and the connection is dropped. Infinity is for a call that
   * may block inside the daemon and must not be repeated.
   */
  readonly deadlineMs: number;
}
