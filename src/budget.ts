/**
 * What one launcher may cost. A launcher is a pod of a tenant, so nothing that it sends is trusted. The largest VM that was
 * measured has 250 disks and 20 NICs; it sends 3,705 parameters and 109 kB of XML. The numbers are its need with a margin, from
 * 1.4 for devices to twice and more. This file imports nothing.
 */
export interface LauncherBudget {
  /** Domains that run at the same time. KubeVirt starts one in each launcher. */
  readonly domains: number;
  /** Bytes of one packet. The largest VM needs 170 kB, and 560 kB more for the parameters of 256 vCPUs. */
  readonly packetBytes: number;
  /** Typed parameters of one reply. */
  readonly parameters: number;
  /** Further parameters of a reply with vCPUs, which only the family Vcpus needs. KVM has 46 for each: 256 have 11,776. */
  readonly vcpuParameters: number;
  /**
   * Parameters in a second of all launchers together, without the `OWN_PARAMETERS` of each and those of vCPUs. It suffices for five
   * of the largest VM at the default interval of 5 s, and for one at 1 s. If there are more, the largest are sampled less often.
   */
  readonly sharedParameters: number;
  /** Packets that answer no call, such as pings and events, in a minute. A daemon pings every 5 seconds. */
  readonly unaskedPackets: number;
  /** Characters of a domain's XML. Any text of this length is read, or rejected, in 8 ms. */
  readonly xmlLength: number;
  /** Devices of a domain: NICs and disks, in its XML and in its statistics. Also its vCPUs. */
  readonly devices: number;
  /** Characters of a domain's name: a namespace of 63, `_`, and the name of a VMI of 253. */
  readonly domainNameLength: number;
  /** Characters of a device's target or alias. KubeVirt's alias has the name of a volume or network, of 253 at most. */
  readonly deviceNameLength: number;
  /** Lines of one cycle. The largest VM has 273 by default, and with all families and 256 vCPUs 1,600. */
  readonly lines: number;
  /** Different series in an hour. A device that comes and goes is one. All lines of a cycle must fit. */
  readonly newSeries: number;
  /** Runs of the domain that are new, in an hour: another id, or one that comes back. KubeVirt starts a new launcher for each. */
  readonly runs: number;
}

export const LAUNCHER_BUDGET: LauncherBudget = {
  domains: 1,
  packetBytes: 1 << 20,
  parameters: 6_144,
  vcpuParameters: 16_384,
  sharedParameters: 3_072,
  unaskedPackets: 600,
  xmlLength: 256 << 10,
  devices: 384,
  domainNameLength: 317,
  deviceNameLength: 256,
  lines: 2_048,
  newSeries: 4_096,
  runs: 6,
};

/** Parameters of a reply that each launcher may send in each cycle, whatever the others do: a VM with 40 disks. */
export const OWN_PARAMETERS = 640;

/**
 * Bytes that all launchers together may have sent and that are not decoded yet. An honest reply arrives at once, so this
 * suffices for 24 of the largest VMs in the same moment.
 */
export const RECEIVED_BYTES = 4 << 20;

/** Why a launcher is cut off, or some of its lines are left out: the values of the metric's label `reason`. */
export const REJECTION_REASONS = [
  "Domains",
  "PacketBytes",
  "Parameters",
  /** The launchers together send more parameters than allowed, and this one has most: it is sampled less often. */
  "SharedParameters",
  "UnaskedPackets",
  /** The process may not keep more received bytes, and this launcher has most of them. */
  "Memory",
  "XmlWork",
  "Devices",
  /** A name is longer than Kubernetes or the kernel allows. */
  "NameLength",
  "Lines",
  "NewSeries",
  "Runs",
  /** The spool is nearly full, and this launcher has more than its share. */
  "SpoolShare",
  /** The socket's path is not a socket but, for example, a link. */
  "SocketType",
] as const;

export type RejectionReason = (typeof REJECTION_REASONS)[number];
