import { TelemetryError, messageOf } from "../errors.ts";
import { LibvirtError } from "../libvirt/errors.ts";

/** What libvirt may do for a moment while VMs start, and only these. */
const OF_A_START: ReadonlySet<string> = new Set(["E_LIBVIRT_TIMEOUT", "E_LIBVIRT_CLOSED", "E_QEMU_STUCK"]);

/** What went wrong in a cycle, apart from what is no fault yet: a launcher or a domain is starting, or a QEMU is slow. */
export class CycleErrors {
  readonly errors: (LibvirtError | TelemetryError)[] = [];
  readonly excused: (LibvirtError | TelemetryError)[] = [];

  get lists(): Pick<CycleErrors, "errors" | "excused"> {
    return { errors: this.errors, excused: this.excused };
  }

  report(error: unknown, { excuse }: { readonly excuse: boolean }): void {
    const found = planned(error);
    (excuse && OF_A_START.has(found.code) ? this.excused : this.errors).push(found);
  }
}

/** No statistics that need QEMU, because calls are stuck. */
export function tooManyStuck(calls: number): TelemetryError {
  return new TelemetryError(
    "E_QEMU_STUCK",
    `libvirt has not answered ${calls} of the calls for statistics; no disk values and totals for any of its domains until one returns`,
  );
}

/** Errors that nobody planned are bugs: they keep their stack as the cause of one that can be reported. */
function planned(error: unknown): LibvirtError | TelemetryError {
  if (error instanceof LibvirtError || error instanceof TelemetryError) return error;
  return new TelemetryError("E_INTERNAL", `collection failed unexpectedly: ${messageOf(error)}`, { cause: error });
}
