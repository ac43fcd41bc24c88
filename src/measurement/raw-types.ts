import type { FieldType } from "../contract.ts";

/** Names of fields of which the first type is kept. Libvirt has some hundreds, and KVM's statistics a hundred more. */
const MAX_NAMES = 8_192;

/**
 * Fields whose type is known from libvirt 12.7 and Linux 6.16, so that a launcher cannot give them another one. The first
 * pattern that matches counts.
 */
const KNOWN: readonly (readonly [pattern: RegExp, type: FieldType])[] = [
  [/^(?:name|path|calc_mode)$|_monitor_\d+_(?:name|vcpus)$/, "string"],
  [/_queue_depth_avg$|_monitor_\d+_pkg_\d+_(?:core_energy|activity)$/, "float"],
  [/^halted$|^(?:guest_mode|blocking|apicv_active|synic_auto_eoi_used)_cur$/, "boolean"],
  [/_(?:cur|sum|max)$|_latency_(?:min|avg)$|^(?:limits|latency_histogram|timed_group|poll|calc)_/, "integer"],
  [/^(?:rx|tx)_(?:bytes|pkts|errs|drop)$|^(?:rd|wr|fl)_(?:reqs|bytes|times)$/, "integer"],
  [/^(?:errors|allocation|capacity|physical|threshold|backingIndex|count|current|maximum|state|reason)$/, "integer"],
  [/^(?:time|user|system|wait|delay|haltpoll_(?:success|fail)_time)$|megabytes_per_second$/, "integer"],
  [/^(?:swap_in|swap_out|major_fault|minor_fault|unused|available|usable|rss|last_update|disk_caches)$/, "integer"],
  [/^hugetlb_pg(?:alloc|fail)$|_monitor_(?:count|\d+_(?:node|bank|pkg)_(?:count|\d+_(?:id|bytes\w*)))$/, "integer"],
  [/^(?:cmt|mbmt|mbml|cpu_cycles|instructions|cache_references|cache_misses|branch_instructions)$/, "integer"],
  [/^(?:branch_misses|bus_cycles|stalled_cycles_\w+|ref_cpu_cycles|cpu_clock|task_clock|page_faults\w*)$/, "integer"],
  [/^(?:context_switches|cpu_migrations|alignment_faults|emulation_faults)$/, "integer"],
];

/**
 * The types of the fields of `vm_raw` in the life of an agent. InfluxDB rejects a field with another type than before, so the
 * first one counts.
 */
export class RawTypes {
  readonly #types = new Map<string, FieldType>();

  /** Returns whether a field may have this type. */
  admits(field: string, type: FieldType): boolean {
    const known = this.#types.get(field);
    if (known !== undefined) return known === type;
    // A field that has the name of a tag ends with an underscore.
    const name = field.replace(/_+$/, "");
    const fixed = KNOWN.find(([pattern]) => pattern.test(name))?.[1];
    if (this.#types.size < MAX_NAMES) this.#types.set(field, fixed ?? type);
    else if (fixed === undefined) return false;
    return fixed === undefined || fixed === type;
  }
}
