import { BudgetError, TelemetryError, unexpected } from "../../errors.ts";
import { printable } from "../../lib/display-text.ts";
import { LibvirtError } from "../../libvirt/errors.ts";
import type { DomainRef } from "../../libvirt/types.ts";

/** The errors that are expected for a moment while a launcher or a domain starts. */
const STARTUP_CODES: ReadonlySet<string> = new Set(["E_LIBVIRT_TIMEOUT", "E_LIBVIRT_CLOSED", "E_QEMU_STUCK"]);

/** Collects the errors of a cycle, and separately those that are not faults yet. */
export class CycleErrors {
  readonly #vm: string | undefined;
  readonly errors: (LibvirtError | TelemetryError)[] = [];
  readonly tolerated: (LibvirtError | TelemetryError)[] = [];

  /** `vm` is the VM of the launcher, if it is known. */
  constructor(vm?: string) {
    this.#vm = vm;
  }

  /** Whether the launcher exceeds its budget. */
  get hasRejection(): boolean {
    return this.errors.some((error) => error instanceof BudgetError);
  }

  get lists(): Pick<CycleErrors, "errors" | "tolerated"> {
    return { errors: this.errors, tolerated: this.tolerated };
  }

  /**
   * Adds an error about `domain`, or about the daemon if `domain` is not given. `tolerate`: the daemon or the domain is
   * starting, or QEMU is only slow, so the error is not a fault yet.
   */
  report(
    error: unknown,
    { tolerate, domain }: { readonly tolerate: boolean; readonly domain?: DomainRef | undefined },
  ): void {
    const reportable = error instanceof BudgetError ? this.#rejection(error) : toReportableError(error, domain);
    (tolerate && STARTUP_CODES.has(reportable.code) ? this.tolerated : this.errors).push(reportable);
  }

  /** The message has only texts of the agent: a launcher could make each one different to flood the log. */
  #rejection({ rejection, message, cause }: BudgetError): BudgetError {
    const launcher = this.#vm === undefined ? "the launcher" : `the launcher of ${this.#vm}`;
    return new BudgetError(rejection, `${launcher} exceeds its budget: ${message}`, { cause });
  }
}

/** Returns the error of statistics that are missing because too many calls are blocked. */
export function tooManyStuck(calls: number): TelemetryError {
  return new TelemetryError(
    "E_QEMU_STUCK",
    `libvirt has not answered ${calls} calls for statistics: no disk values and totals for any of its domains until one returns`,
  );
}

/** Returns an error that has a code unchanged; any other is a bug and becomes an E_INTERNAL. */
function toReportableError(error: unknown, domain: DomainRef | undefined): LibvirtError | TelemetryError {
  if (error instanceof LibvirtError || error instanceof TelemetryError) return error;
  return unexpected(domain === undefined ? "collection" : `collecting ${printable(domain.name)}`, error);
}
