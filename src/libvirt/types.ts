/** A domain as libvirt names it on the wire. */
export interface DomainRef {
  readonly name: string;
  /** Lower-case with dashes. */
  readonly uuid: string;
  /** -1 when the domain is not running. */
  readonly id: number;
}

/** The value of a typed parameter: 32-bit integers and doubles as number, 64-bit integers as bigint (exact). */
export type TypedValue = number | bigint | boolean | string;

export type TypedParameters = ReadonlyMap<string, TypedValue>;

export interface DomainStats {
  readonly domain: DomainRef;
  readonly params: TypedParameters;
}

/** DOMAIN_GET_INFO. Never asks QEMU. */
export interface DomainInfo {
  readonly state: number;
  readonly maxMemoryKiB: bigint;
  readonly memoryKiB: bigint;
  readonly vcpus: number;
  readonly cpuTimeNs: bigint;
}

/** DOMAIN_GET_VCPUS: one vCPU. */
export interface VcpuInfo {
  readonly number: number;
  /** virVcpuState: 0 offline, 1 running, 2 blocked. */
  readonly state: number;
  readonly cpuTimeNs: bigint;
  /** The host CPU that it runs on; below 0 when libvirt does not know. */
  readonly cpu: number;
}

/** DOMAIN_GET_CONTROL_INFO: whether a call waits for this domain's monitor or a job holds it. Never asks QEMU. */
export interface DomainControlInfo {
  /** CONTROL_STATE: 0 ok, 1 a job runs, 2 a monitor command is outstanding, 3 error. */
  readonly state: number;
  /** CONTROL_ERROR of state 3. */
  readonly details: number;
  /** Milliseconds since the monitor command was sent, in state 1 since the long job began; 0 in the others. */
  readonly stateTimeMs: number;
}

export interface LifecycleEvent {
  readonly domain: DomainRef;
  /** virDomainEventType: 0 defined, 1 undefined, 2 started, 3 suspended, 4 resumed, 5 stopped, 6 shutdown, ... */
  readonly event: number;
  readonly detail: number;
}

export interface CallOptions {
  /**
   * Milliseconds until the call fails with E_LIBVIRT_TIMEOUT and the connection is dropped. Infinity is for a call that
   * is known to be blocked inside the daemon and must be left alone there.
   */
  readonly deadlineMs: number;
}
