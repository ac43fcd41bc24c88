/** The values of a node in one cycle. A value that is not known is undefined. */
export interface NodeSample {
  /** Wall clock of the end of the cycle, in milliseconds since the epoch. */
  readonly timestampMs: number;
  /** Undefined if no endpoint could be collected. */
  readonly vms: VmSums | undefined;
  /** Undefined if the family Node is not due, or the kernel's files cannot be read. */
  readonly host: HostStats | undefined;
  /** Versions of the connected daemons and of their QEMUs, sorted and unique. */
  readonly versions: { readonly libvirt: readonly string[]; readonly qemu: readonly string[] };
  readonly agent: AgentStats;
}

/** Counts and sums over the VMs of a cycle. A sum counts only VMs with a known value, and is undefined without any. */
export interface VmSums {
  readonly vms: number;
  readonly running: number;
  readonly paused: number;
  /** Undefined if no QEMU is called. */
  readonly stuck: number | undefined;
  readonly vcpus: number | undefined;
  readonly memoryMaxKib: bigint | undefined;
  readonly memoryRssKib: bigint | undefined;
  readonly cpuTimeNs: bigint | undefined;
}

/** CPU times of the host since its boot, in nanoseconds, and its memory, in KiB. */
export interface HostStats {
  /** CPUs that are online. */
  readonly cpus: number;
  readonly userNs: bigint;
  readonly kernelNs: bigint;
  readonly idleNs: bigint;
  readonly iowaitNs: bigint;
  readonly memoryKib: bigint | undefined;
  readonly freeKib: bigint | undefined;
}

/** The agent itself. Numbers of lines and cycles are of the time since its start. */
interface AgentStats {
  /** How long the cycle took until everything was collected. */
  readonly cycleMs: number;
  readonly cycles: number;
  readonly skippedTicks: number;
  readonly lines: number;
  readonly queuedLines: number;
  readonly droppedLines: number;
  readonly rejectedLines: number;
  /** Memory of the process in KiB. */
  readonly rssKib: number;
  /** CPU time of the process. */
  readonly cpuMs: number;
}
