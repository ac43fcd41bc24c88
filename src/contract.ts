/**
 * The names of the data contract, which the configuration, the collection and the measurements share. Old queries
 * depend on every name here, so a row may be added but never changed. This file imports nothing.
 */

interface FamilyRow {
  /** Whether it is written if `spec.collection.families` is not given. */
  readonly byDefault: boolean;
}

/** The values of `spec.collection.families`, in the order of the documentation. */
const FAMILIES = {
  Metrics: { byDefault: true },
  Features: { byDefault: true },
  Devices: { byDefault: true },
  Totals: { byDefault: true },
  Vcpus: { byDefault: false },
} satisfies Readonly<Record<string, FamilyRow>>;

export type Family = keyof typeof FAMILIES;

const ROWS = Object.entries(FAMILIES) as [Family, FamilyRow][];

export const FAMILY_NAMES: readonly Family[] = ROWS.map(([family]) => family);
export const DEFAULT_FAMILIES: readonly Family[] = ROWS.filter(([, row]) => row.byDefault).map(([family]) => family);

/**
 * The tags that the agent sets, in the order of the line: of the VM, of the part that the line describes, of the place,
 * and of the origin of the part. Tags from labels, annotations and `spec.tags.static` follow.
 */
export const SERIES_TAGS = {
  vm: ["VMID", "name", "uuid"],
  part: ["devtype", "device", "vcpu"],
  place: ["namespace", "node"],
  origin: ["network", "volume"],
} as const;

export const TAGS: readonly string[] = Object.values(SERIES_TAGS).flat();

/** A tag of every line of a VM. */
export type VmTag = (typeof SERIES_TAGS)["vm" | "place"][number];

/** A tag that a measurement sets on the line of one part of a VM, such as a disk. */
export type PartTag = (typeof SERIES_TAGS)["part" | "origin"][number];

/** One counter of a device. */
export interface Counter {
  /** End of the name of libvirt's parameter: `rx.bytes` in `net.0.rx.bytes`. */
  readonly stat: string;
  /** Field in `vm_devices`. In `vm_totals` its sum is `net_FIELD` or `disk_FIELD`. */
  readonly field: string;
  /** Value if libvirt does not report it. If not given, the value is missing. */
  readonly absent?: bigint;
}

/** Counters of a network interface, from the guest's view: rx is what the host's tap device sent. */
export const NIC_COUNTERS = {
  rxBytes: { stat: "rx.bytes", field: "rxbytes" },
  rxPackets: { stat: "rx.pkts", field: "rxpackets" },
  rxErrors: { stat: "rx.errs", field: "rxerrors" },
  rxDrops: { stat: "rx.drop", field: "rxdrops" },
  txBytes: { stat: "tx.bytes", field: "txbytes" },
  txPackets: { stat: "tx.pkts", field: "txpackets" },
  txErrors: { stat: "tx.errs", field: "txerrors" },
  txDrops: { stat: "tx.drop", field: "txdrops" },
} as const satisfies Readonly<Record<string, Counter>>;

/** Counters of a disk. QEMU never reports `errors`. */
export const DISK_COUNTERS = {
  readRequests: { stat: "rd.reqs", field: "rd_req" },
  readBytes: { stat: "rd.bytes", field: "rd_bytes" },
  writeRequests: { stat: "wr.reqs", field: "wr_reqs" },
  writeBytes: { stat: "wr.bytes", field: "wr_bytes" },
  errors: { stat: "errors", field: "errors", absent: 0n },
} as const satisfies Readonly<Record<string, Counter>>;

/** Counter name -> value; undefined if libvirt did not report it. */
export type Counters<Table> = { readonly [Name in keyof Table]: bigint | undefined };

/** Every field of every measurement. InfluxDB 3 rejects each line of a table in which a tag has the name of a field. */
export const FIELDS: readonly string[] = [
  ...["state", "cpu_count", "memory_max_kb", "memory_used_kb", "cputime_ns"],
  ...["memory_rate_kb_per_sec", "memory_angle_deg"],
  ...Object.values(NIC_COUNTERS).map(({ field }) => field),
  ...Object.values(DISK_COUNTERS).map(({ field }) => field),
  ...Object.values(NIC_COUNTERS).map(({ field }) => `net_${field}`),
  ...Object.values(DISK_COUNTERS).map(({ field }) => `disk_${field}`),
  ...["memactual", "memrss", "memavailable", "memusable", "memswap_in", "memswap_out"],
  ...["memmajor_fault", "memminor_fault", "memdisk_cache", "timeusr", "timesys", "cpus", "cputime"],
  ...["time_ns", "cpu", "wait_ns", "delay_ns"],
];
