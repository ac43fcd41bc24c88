/**
 * The names of the data contract, which the configuration, the collection and the measurements share. Old queries
 * depend on every name here, so a row may be added but never changed. This file imports nothing.
 */

/** Type of a field in every InfluxDB. A field never changes it. */
export type FieldType = "integer" | "float" | "string" | "boolean";

interface FamilyRow {
  /** Whether it is written if `spec.collection.families` is not given. */
  readonly byDefault: boolean;
  /** Its measurements -> the fields of each. */
  readonly measurements: Readonly<Record<string, Readonly<Record<string, FieldType>>>>;
  /** Tags of the table SERIES_TAGS that only its lines have. Others may use them while the family is off. */
  readonly tags?: readonly string[];
}

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

/** Further values of a disk: times in nanoseconds, sizes in bytes. */
export const DISK_DETAIL_COUNTERS = {
  readNs: { stat: "rd.times", field: "rd_ns" },
  writeNs: { stat: "wr.times", field: "wr_ns" },
  flushRequests: { stat: "fl.reqs", field: "fl_reqs" },
  flushNs: { stat: "fl.times", field: "fl_ns" },
  capacity: { stat: "capacity", field: "capacity_bytes" },
  allocation: { stat: "allocation", field: "allocation_bytes" },
  physical: { stat: "physical", field: "physical_bytes" },
} as const satisfies Readonly<Record<string, Counter>>;

const fieldsOfType =
  (type: FieldType) =>
  (...names: readonly string[]): Readonly<Record<string, FieldType>> =>
    Object.fromEntries(names.map((name) => [name, type]));
const integers = fieldsOfType("integer");
const floats = fieldsOfType("float");
const strings = fieldsOfType("string");

function fieldsOf(table: Readonly<Record<string, Counter>>, prefix = ""): string[] {
  return Object.values(table).map(({ field }) => prefix + field);
}

/** The values of `spec.collection.families`, in the order of the documentation. */
const FAMILIES = {
  Metrics: {
    byDefault: true,
    measurements: {
      vm_metrics: { state: "string", ...integers("cpu_count", "memory_max_kb", "memory_used_kb", "cputime_ns") },
    },
  },
  Features: {
    byDefault: true,
    measurements: { vm_features: floats("memory_rate_kb_per_sec", "memory_angle_deg") },
  },
  Devices: {
    byDefault: true,
    measurements: { vm_devices: integers(...fieldsOf(NIC_COUNTERS), ...fieldsOf(DISK_COUNTERS)) },
  },
  Totals: {
    byDefault: true,
    measurements: {
      vm_totals: integers(
        ...[...fieldsOf(NIC_COUNTERS, "net_"), ...fieldsOf(DISK_COUNTERS, "disk_")],
        ...["memactual", "memrss", "memavailable", "memusable", "memswap_in", "memswap_out"],
        ...["memmajor_fault", "memminor_fault", "memdisk_cache", "timeusr", "timesys", "cpus", "cputime", "state"],
      ),
    },
  },
  Disks: {
    byDefault: false,
    measurements: {
      vm_disks: {
        ...integers(...fieldsOf(DISK_DETAIL_COUNTERS)),
        ...floats("rd_latency_us", "wr_latency_us", "fl_latency_us", "fill_percent"),
      },
    },
    tags: ["pvc"],
  },
  Memory: {
    byDefault: false,
    measurements: {
      vm_memory: {
        ...integers("unused_kb", "last_update_s", "guest_stats_age_s", "hugetlb_pgalloc", "hugetlb_pgfail"),
        ...integers("ballooned_kb", "used_kb", "overhead_kb"),
        ...floats("used_percent"),
      },
    },
  },
  Status: {
    byDefault: false,
    measurements: {
      vm_status: {
        ...strings("reason", "control"),
        ...integers("reason_code", "stuck", "started_s", "uptime_s", "control_ms"),
      },
    },
  },
  Cpu: {
    byDefault: false,
    measurements: {
      vm_cpu: {
        ...floats("usage_percent", "usage_of_vcpus_percent"),
        ...integers("haltpoll_success_ns", "haltpoll_fail_ns", "vcpus_max", "steal_ns", "wait_ns"),
      },
    },
  },
  Vcpus: {
    byDefault: false,
    measurements: { vm_vcpus: integers("state", "time_ns", "cpu", "wait_ns", "delay_ns") },
  },
  Events: {
    byDefault: false,
    measurements: { vm_events: { ...strings("detail", "device"), ...integers("count") } },
    tags: ["event"],
  },
  Jobs: {
    byDefault: false,
    measurements: {
      vm_jobs: integers(
        ...["elapsed_ms", "remaining_ms", "downtime_ms", "setup_ms"],
        ...["data_total_bytes", "data_processed_bytes", "data_remaining_bytes", "memory_bytes_per_sec"],
        ...["dirty_pages_per_sec", "iteration", "throttle_percent", "success"],
      ),
    },
    tags: ["operation"],
  },
  Info: {
    byDefault: false,
    measurements: {
      vm_info: {
        ...strings("uid", "pod", "instance_type", "preference", "guest_os", "phase", "machine", "arch", "cpu_model"),
        ...strings("firmware", "pinned_vcpus", "affinity"),
        ...integers("nics", "disks", "cpu_request_milli", "cpu_limit_milli", "memory_request_kb", "memory_limit_kb"),
        ...integers("migratable", "launcher_outdated", "agent_connected"),
      },
      vm_disk_info: {
        ...strings("bus", "cache", "discard", "format", "kind", "serial", "pvc"),
        ...integers("iops_limit", "bytes_limit"),
      },
      vm_nic_info: { ...strings("mac", "model", "kind", "source", "link", "address"), ...integers("mtu") },
    },
  },
  Node: {
    byDefault: false,
    measurements: {
      vm_node: {
        ...integers("vms", "vms_running", "vms_paused", "vms_stuck", "vcpus", "memory_max_kb", "memory_rss_kb"),
        ...integers("cputime_ns", "cpus", "memory_kb", "cpu_user_ns", "cpu_kernel_ns", "cpu_idle_ns"),
        ...integers("cpu_iowait_ns", "memory_free_kb"),
        ...strings("libvirt_version", "qemu_version"),
      },
    },
  },
  Agent: {
    byDefault: false,
    measurements: {
      vm_agent: integers(
        ...["cycle_ms", "cycles", "skipped", "lines", "queued_lines", "dropped_lines", "rejected_lines"],
        ...["stuck", "rss_kb", "cpu_ms"],
      ),
    },
  },
  Raw: {
    byDefault: false,
    // Its fields are the parameters that libvirt sends.
    measurements: { vm_raw: {} },
    tags: ["group", "index"],
  },
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
  part: ["devtype", "device", "vcpu", "event", "operation", "group", "index"],
  place: ["namespace", "node"],
  origin: ["network", "volume", "pvc"],
} as const;

export const TAGS: readonly string[] = Object.values(SERIES_TAGS).flat();

/** Tags of families that are off by default; see `namesTakenBy`. */
export const FAMILY_TAGS: readonly string[] = ROWS.flatMap(([, { tags = [] }]) => tags);

/** A tag of every line of a VM. */
export type VmTag = (typeof SERIES_TAGS)["vm" | "place"][number];

/** A tag that a measurement sets on the line of one part of a VM, such as a disk. */
export type PartTag = (typeof SERIES_TAGS)["part" | "origin"][number];

/** The values of `spec.collection.raw.groups` -> how the names of their parameters begin. */
export const RAW_GROUPS = {
  State: "state",
  CpuTotal: "cpu",
  Balloon: "balloon",
  Vcpu: "vcpu",
  Interface: "net",
  Block: "block",
  Perf: "perf",
  Iothread: "iothread",
  Memory: "memory",
  DirtyRate: "dirtyrate",
  Vm: "vm",
} as const;

export type RawGroup = keyof typeof RAW_GROUPS;

export const RAW_GROUP_NAMES = Object.keys(RAW_GROUPS) as readonly RawGroup[];

/** How old values of a guest's memory may be: of the cycle, or as old as the guest's period. */
export const FRESHNESS = ["EveryCycle", "GuestPeriod"] as const;
export type Freshness = (typeof FRESHNESS)[number];

/** Counter name -> value; undefined if libvirt did not report it. */
export type Counters<Table> = { readonly [Name in keyof Table]: bigint | undefined };

/** The measurements of each family -> their fields. */
export const MEASUREMENT_FIELDS: Readonly<Record<string, Readonly<Record<string, FieldType>>>> = Object.assign(
  {},
  ...ROWS.map(([, { measurements }]) => measurements),
) as FamilyRow["measurements"];

/**
 * Names that no other tag may have while the family is collected: its fields, because InfluxDB 3 rejects each line of a
 * table in which a tag has the name of a field, and its own tags.
 */
export function namesTakenBy(family: Family): readonly string[] {
  const { measurements, tags = [] }: FamilyRow = FAMILIES[family];
  return [...new Set([...Object.values(measurements).flatMap((fields) => Object.keys(fields)), ...tags])];
}
