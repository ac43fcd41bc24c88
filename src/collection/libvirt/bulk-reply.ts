import { LibvirtError } from "../../libvirt/errors.ts";
import type { DomainStats } from "../../libvirt/types.ts";

/** Returns the error of bulk statistics that missed the deadline although no domain is known to block them. */
export function cycleTimeout(): LibvirtError {
  return new LibvirtError("E_LIBVIRT_TIMEOUT", "the bulk statistics did not arrive within the cycle's timeout");
}

export interface BulkReply {
  readonly stats: readonly DomainStats[];
  /** UUIDs of domains that are left out because an earlier call of this cycle has their values; see `lateReply`. */
  readonly answeredBefore: ReadonlySet<string>;
  /** Wall clock of the cycle's first call for statistics. No value is older. */
  readonly timestampMs: number;
  /** The requested groups. */
  readonly groups: number;
  /**
   * Why fewer groups were requested than needed. `stuck`: too many QEMUs block calls and are stuck. `slow`: they are not
   * stuck yet. `late`: the daemon is late for another reason, or because several QEMUs are slow.
   */
  readonly limitedBy: "stuck" | "slow" | "late" | undefined;
}
