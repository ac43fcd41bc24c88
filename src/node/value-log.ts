import { vmLabel } from "../collection/domain-overview.ts";
import type { RateLimit } from "../lib/rate-limit.ts";
import type { Logger } from "../log.ts";
import type { LineCounters } from "../measurement/line-protocol.ts";
import type { MissingValue } from "./node-state.ts";

/** Writes a warning for values that are missing or changed, at most one for each kind or field in five minutes. */
export class ValueLog {
  readonly #log: Logger;
  readonly #warnings: RateLimit;
  /** The counters of altered values at their last warning. */
  readonly #altered = new Map<string, number>();
  readonly #unsupported = new Set<string>();

  constructor(log: Logger, warnings: RateLimit) {
    this.#log = log;
    this.#warnings = warnings;
  }

  /** Logs groups of `raw.groups` that a libvirt is too old for, each once. */
  unsupported(groups: readonly string[]): void {
    const fresh = groups.filter((group) => !this.#unsupported.has(group));
    if (fresh.length === 0) return;
    for (const group of fresh) this.#unsupported.add(group);
    this.#log.warn({ groups: fresh }, "libvirt is too old for groups of raw.groups: vm_raw has no lines of them");
  }

  altered(counters: Readonly<LineCounters>): void {
    for (const [kind, total] of Object.entries(counters)) {
      const before = this.#altered.get(kind) ?? 0;
      if (total === before || !this.#warnings.allows(`altered ${kind}`)) continue;
      this.#altered.set(kind, total);
      const message =
        kind === "omittedParameters"
          ? "parameters left out of vm_raw: too many, of another type than before, or with a name that is taken"
          : "values changed: line protocol cannot hold them";
      this.#log.warn({ kind, values: total - before }, message);
    }
  }

  /** Logs one line for all fields whose warning is due. It is a warning because a missing value may be written as 0. */
  missing(missing: ReadonlyMap<string, MissingValue>): void {
    const due = [...missing].filter(([field]) => this.#warnings.allows(`missing ${field}`));
    const example = due.at(-1)?.[1].example;
    if (example === undefined) return;
    const domains = Object.fromEntries(due.map(([field, { domains }]) => [field, domains]));
    this.#log.warn(
      { domains, example: vmLabel(example) },
      "values missing: libvirt does not report them for these numbers of domains",
    );
  }
}
