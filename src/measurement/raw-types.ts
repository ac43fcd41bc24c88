import type { FieldType } from "../contract.ts";

/** Names of fields of which the type is kept. Libvirt has some hundreds, and KVM's statistics a hundred more. */
const MAX_NAMES = 8_192;
/** Unknown names that one VM can bring, so that a launcher that invents names does not take the place of others. */
const MAX_NAMES_OF_VM = 256;

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
  /** The fields that are not known, with their first types. */
  readonly #first = new Map<string, FieldType>();
  /** A VM -> the number of fields that it brought first. */
  readonly #counts = new Map<string, number>();
  /** The known fields that were seen, because patterns are slow. */
  readonly #known = new Map<string, FieldType>();

  /** Returns whether a field of this VM may have this type. */
  admits(field: string, type: FieldType, vm: string): boolean {
    const counted = this.#known.get(field) ?? this.#first.get(field);
    if (counted !== undefined) return counted === type;
    // A field that has the name of a tag ends with an underscore.
    const name = field.replace(/_+$/, "");
    const known = KNOWN.find(([pattern]) => pattern.test(name))?.[1];
    if (known === undefined) return this.#isFirst(field, type, vm);
    if (this.#known.size < MAX_NAMES) this.#known.set(field, known);
    return known === type;
  }

  #isFirst(field: string, type: FieldType, vm: string): boolean {
    const count = this.#counts.get(vm) ?? 0;
    if (count === MAX_NAMES_OF_VM || this.#first.size === MAX_NAMES) return false;
    this.#counts.set(vm, count + 1);
    this.#first.set(field, type);
    return true;
  }
}
