import type { RejectionReason } from "./budget.ts";
import { foreignText } from "./lib/display-text.ts";

/** Every code of this program's own errors. `docs/errors.md` has a section for each, with what the operator should do. */
export const ERROR_CODES = [
  "E_USAGE",
  "E_CONFIG_INVALID",
  "E_CONFIG_UNREADABLE",
  "E_SECRET_NOT_FOUND",
  "E_SECRET_INVALID",
  "E_SOCKET_NOT_FOUND",
  "E_PODS_DIR",
  "E_DOMAIN_XML",
  "E_QEMU_STUCK",
  "E_DOMAIN_FOREIGN",
  "E_LAUNCHER_BUDGET",
  "E_LAUNCHER_UNRESPONSIVE",
  "E_LISTEN",
  "E_INTERNAL",
  "E_SIMULATOR",
  "E_SPOOL_WRITE",
  "E_SPOOL_DAMAGED",
  "E_SPOOL_NEWER",
  "E_SPOOL_LOCKED",
  "E_SPOOL_NOT_FOUND",
  "E_KUBE_CONFIG",
  "E_KUBE_UNREACHABLE",
  "E_KUBE_TIMEOUT",
  "E_KUBE_CLOSED",
  "E_KUBE_PROTOCOL",
  "E_KUBE_DENIED",
  "E_KUBE_REFUSED",
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** Longest text of a thrown value in a message, in characters. The rest of the message says what failed and what to do. */
const MAX_THROWN = 500;
const MAX_LINE = 1_000;

/** A planned failure of the agent. */
export class TelemetryError extends Error {
  readonly code: ErrorCode;
  override readonly name: string = "TelemetryError";

  /**
   * Operators read `message`: it says what failed, where, and what to do. It never contains a secret. Several texts are
   * lines. Each may quote foreign text, so it is made printable here.
   */
  constructor(code: ErrorCode, message: string | readonly string[], options?: ErrorOptions) {
    const lines = typeof message === "string" ? [message] : message;
    super(lines.map((line) => foreignText(line, MAX_LINE)).join("\n"), options);
    this.code = code;
  }
}

/** A launcher exceeds its budget. */
export class BudgetError extends TelemetryError {
  override readonly name = "BudgetError";
  readonly rejection: RejectionReason;

  constructor(rejection: RejectionReason, message: string, options?: ErrorOptions) {
    super("E_LAUNCHER_BUDGET", message, options);
    this.rejection = rejection;
  }
}

/** Returns an E_INTERNAL error. `what` says what failed; the thrown error, with its stack, is the cause. */
export function unexpected(what: string, thrown: unknown): TelemetryError {
  return new TelemetryError("E_INTERNAL", `${what} failed unexpectedly: ${messageOf(thrown)}`, { cause: thrown });
}

/** Returns the text of a thrown value as one printable line, for a log line or another error. */
export function messageOf(thrown: unknown): string {
  return foreignText(thrown instanceof Error ? thrown.message : String(thrown), MAX_THROWN);
}
