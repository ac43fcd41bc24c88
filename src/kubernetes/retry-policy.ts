import { backoffMs, type BackoffOptions } from "../lib/backoff.ts";

/** How long a list or a watch waits before its next attempt. */
export interface RetryPolicy extends BackoffOptions {
  /** Added to the random wait. */
  readonly minMs: number;
}

/** For faults of the server or the network. */
export const TRANSIENT: RetryPolicy = { baseMs: 1_000, capMs: 30_000, minMs: 0 };
/** For a request that the server does not support. It fails until an operator changes something. */
const UNSUPPORTED: RetryPolicy = { baseMs: 30_000, capMs: 240_000, minMs: 30_000 };
/** For a missing right. The first attempts are soon, because a server that has just started has not read its rules yet. */
const DENIED: RetryPolicy = { baseMs: 1_000, capMs: 240_000, minMs: 0 };
/** For a list after a watch. All nodes need it at the same moment, and lists cost the API server most. */
export const RELIST: RetryPolicy = { baseMs: 10_000, capMs: 30_000, minMs: 0 };

/** Spreads nodes that got the same Retry-After at the same moment. */
const RETRY_AFTER_JITTER = 0.5;

interface Recovery {
  readonly policy: RetryPolicy;
  /** Whether the next watch may start at the same version; if not, a list comes first. */
  readonly resume: boolean;
}

const RECOVERIES: Readonly<Record<number, Recovery>> = {
  401: { policy: TRANSIENT, resume: true },
  403: { policy: DENIED, resume: true },
  // The server does not serve the kind, perhaps not yet.
  404: { policy: TRANSIENT, resume: false },
  410: { policy: RELIST, resume: false },
  429: { policy: TRANSIENT, resume: true },
  500: { policy: TRANSIENT, resume: false },
  502: { policy: TRANSIENT, resume: true },
  503: { policy: TRANSIENT, resume: true },
  // The version is newer than the server's data, as after a restore of etcd; or the server was too slow.
  504: { policy: TRANSIENT, resume: false },
};
const DEFAULT_RECOVERY: Recovery = { policy: UNSUPPORTED, resume: false };

/** Returns how to continue after a list or a watch was answered with this status. */
export function recoveryFor(status: number): Recovery {
  return RECOVERIES[status] ?? DEFAULT_RECOVERY;
}

/** Returns the wait before the next attempt, in milliseconds. It is never shorter than `afterMs`, the server's Retry-After. */
export function retryDelayMs(
  policy: RetryPolicy,
  failures: number,
  afterMs: number | undefined,
  random: () => number,
): number {
  const backoff = policy.minMs + backoffMs(failures, policy, random);
  return Math.max(backoff, (afterMs ?? 0) * (1 + RETRY_AFTER_JITTER * random()));
}
