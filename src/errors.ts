/** A planned failure of the agent. `docs/errors.md` has a section for every code, with what the operator should do. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** Every code of this program's own errors, and whether trying again unchanged can help. */
export const ERROR_CODES = {
  E_USAGE: { retryable: false },
  E_CONFIG_INVALID: { retryable: false },
  E_CONFIG_UNREADABLE: { retryable: true },
  E_SECRET_NOT_FOUND: { retryable: true },
  E_SOCKET_NOT_FOUND: { retryable: true },
  E_PODS_DIR: { retryable: true },
  E_DOMAIN_XML: { retryable: false },
  E_QEMU_STUCK: { retryable: true },
  E_DOMAIN_FOREIGN: { retryable: true },
  E_LISTEN: { retryable: true },
  E_INTERNAL: { retryable: true },
  E_SIMULATOR: { retryable: false },
  E_SPOOL_WRITE: { retryable: true },
  E_SPOOL_DAMAGED: { retryable: false },
  E_SPOOL_NEWER: { retryable: false },
  E_SPOOL_LOCKED: { retryable: true },
  E_SPOOL_NOT_FOUND: { retryable: true },
  E_KUBE_CONFIG: { retryable: true },
  E_KUBE_UNREACHABLE: { retryable: true },
  E_KUBE_TIMEOUT: { retryable: true },
  E_KUBE_CLOSED: { retryable: true },
  E_KUBE_PROTOCOL: { retryable: true },
  E_KUBE_DENIED: { retryable: true },
  E_KUBE_REFUSED: { retryable: true },
} as const satisfies Record<string, { retryable: boolean }>;

export class TelemetryError extends Error {
  readonly code: ErrorCode;
  override readonly name: string = "TelemetryError";

  /** `message` is shown to operators: it names the place and the remedy, and never holds a secret. */
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }
}

/** An E_INTERNAL that says what failed. The thrown error, with its stack, is its cause. */
export function unexpected(what: string, thrown: unknown): TelemetryError {
  return new TelemetryError("E_INTERNAL", `${what} failed unexpectedly: ${messageOf(thrown)}`, { cause: thrown });
}

/** The text of anything that was thrown, for a log line or an error that wraps it. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
