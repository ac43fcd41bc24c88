import { TelemetryError, unexpected } from "../../errors.ts";
import { printable } from "../../lib/display-text.ts";
import { LibvirtError } from "../../libvirt/errors.ts";
import type { DomainRef } from "../../libvirt/types.ts";

/** What libvirt may do for a moment while VMs start, and only these. */
const STARTUP_CODES: ReadonlySet<string> = new Set(["E_LIBVIRT_TIMEOUT", "E_LIBVIRT_CLOSED", "E_QEMU_STUCK"]);

/** What went wrong in a cycle, apart from what is no fault yet: a launcher or a domain is starting, or a QEMU is slow. */
export class CycleErrors {
  readonly errors: (LibvirtError | TelemetryError)[] = [];
  readonly tolerated: (LibvirtError | TelemetryError)[] = [];

  get lists(): Pick<CycleErrors, "errors" | "tolerated"> {
    return { errors: this.errors, tolerated: this.tolerated };
  }

  /** `domain` is the one that the error is about. */
  report(
    error: unknown,
    { excuse, domain }: { readonly excuse: boolean; readonly domain?: DomainRef | undefined },
  ): void {
    const found = toReportableError(error, domain);
    (excuse && STARTUP_CODES.has(found.code) ? this.tolerated : this.errors).push(found);
  }
}

/** No statistics that need QEMU, because calls are stuck. */
export function tooManyStuck(calls: number): TelemetryError {
  return new TelemetryError(
    "E_QEMU_STUCK",
    `libvirt has not answered ${calls} of the calls for statistics; no disk values and totals for any of its domains until one returns`,
  );
}

/** Returns an error with a code as it is, and any other, which is a bug, as an E_INTERNAL. */
function toReportableError(error: unknown, domain: DomainRef | undefined): LibvirtError | TelemetryError {
  if (error instanceof LibvirtError || error instanceof TelemetryError) return error;
  return unexpected(domain === undefined ? "collection" : `collecting ${printable(domain.name)}`, error);
}
