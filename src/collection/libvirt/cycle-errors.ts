import type { RejectionReason } from "../../budget.ts";
import { BudgetError, TelemetryError, messageOf, unexpected } from "../../errors.ts";
import { foreignText } from "../../lib/display-text.ts";
import { LibvirtError } from "../../libvirt/errors.ts";
import type { DomainRef } from "../../libvirt/types.ts";
import { cycleTimeout, type BulkReply } from "./bulk-reply.ts";

/** The errors that are expected for a moment while a launcher or a domain starts. */
const STARTUP_CODES: ReadonlySet<string> = new Set(["E_LIBVIRT_TIMEOUT", "E_LIBVIRT_CLOSED", "E_QEMU_STUCK"]);

/** Longest text of a daemon in an error, in characters. */
const MAX_MESSAGE = 1_000;

/** Collects the errors of a cycle, and separately those that are not faults yet. */
export class CycleErrors {
  readonly #vm: string | undefined;
  readonly errors: (LibvirtError | TelemetryError)[] = [];
  readonly tolerated: (LibvirtError | TelemetryError)[] = [];

  /** `vm` is the VM of the launcher, if it is known. */
  constructor(vm?: string) {
    this.#vm = vm;
  }

  /** Why the launcher exceeds its budget; undefined if it does not. */
  get rejection(): BudgetError | undefined {
    return this.errors.find((error) => error instanceof BudgetError);
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
    const exceeded = exceededLimit(error);
    const reportable = exceeded === undefined ? toReportableError(error, domain) : this.#budgetError(exceeded);
    (tolerate && STARTUP_CODES.has(reportable.code) ? this.tolerated : this.errors).push(reportable);
  }

  /** The message quotes no text of the launcher, which could make each one different to flood the log. */
  #budgetError({ reason, message }: ExceededLimit): BudgetError {
    const launcher = this.#vm === undefined ? "the launcher" : `the launcher of ${this.#vm}`;
    return new BudgetError(reason, `${launcher} exceeds its budget: ${message}`);
  }
}

/** Reports why the values of QEMU are missing for domains that do not block a call themselves. */
export function reportLimit(
  limitedBy: BulkReply["limitedBy"],
  blockedCalls: number,
  report: (error: unknown, tolerate?: boolean) => void,
): void {
  if (limitedBy === "late") report(cycleTimeout());
  else if (limitedBy !== undefined) report(tooManyStuck(blockedCalls), limitedBy === "slow");
}

/** Returns the error of statistics that are missing because too many calls are blocked. */
function tooManyStuck(calls: number): TelemetryError {
  return new TelemetryError(
    "E_QEMU_STUCK",
    `libvirt has not answered ${calls} calls for statistics: no disk values and totals for any of its domains until one returns`,
  );
}

interface ExceededLimit {
  readonly reason: RejectionReason;
  readonly message: string;
}

/** Returns the limit that an error is about: one of this folder, or of the client, which names it in `limit`. */
function exceededLimit(error: unknown): ExceededLimit | undefined {
  if (error instanceof BudgetError) return { reason: error.rejection, message: error.message };
  const limit = error instanceof LibvirtError ? error.limit : undefined;
  return limit && { reason: limit, message: messageOf(error) };
}

/**
 * Returns an error that has a code; any other is a bug and becomes an E_INTERNAL. The client's errors quote the daemon, so
 * their messages are made printable.
 */
function toReportableError(error: unknown, domain: DomainRef | undefined): LibvirtError | TelemetryError {
  if (error instanceof LibvirtError) error.message = foreignText(error.message, MAX_MESSAGE);
  if (error instanceof LibvirtError || error instanceof TelemetryError) return error;
  return unexpected(domain === undefined ? "collection" : `collecting ${domain.name}`, error);
}
