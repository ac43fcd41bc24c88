import { backoffMs, type BackoffOptions } from "../lib/backoff.ts";

/** How soon something that failed is tried again. */
export interface RetryPolicy extends BackoffOptions {
  /** Not before this, whatever the dice say. */
  readonly minMs: number;
}

/** The server or the network is in trouble. */
export const TRANSIENT: RetryPolicy = { baseMs: 1_000, capMs: 30_000, minMs: 0 };
/** Somebody has to change something first, and each try is for nothing. */
const UNSUPPORTED: RetryPolicy = { baseMs: 30_000, capMs: 240_000, minMs: 30_000 };
/** Somebody has to grant a right first; but a server that has just started refuses too, until it has read its rules. */
const DENIED: RetryPolicy = { baseMs: 1_000, capMs: 240_000, minMs: 0 };
/** All nodes are told at one moment that they have to list, and listing is what costs the API server. */
export const RELIST: RetryPolicy = { baseMs: 10_000, capMs: 30_000, minMs: 0 };

/** Spreads nodes that were all told to come back at one moment. */
const RETRY_AFTER_JITTER = 0.5;

interface Recovery {
  readonly policy: RetryPolicy;
  /** Whether a watch may go on from the version that it was refused for. */
  readonly resume: boolean;
}

const RECOVERIES: Readonly<Record<number, Recovery>> = {
  401: { policy: TRANSIENT, resume: true },
  403: { policy: DENIED, resume: true },
  410: { policy: RELIST, resume: false },
  429: { policy: TRANSIENT, resume: true },
  500: { policy: TRANSIENT, resume: false },
  502: { policy: TRANSIENT, resume: true },
  503: { policy: TRANSIENT, resume: true },
  // The kind is not served, or not yet.
  404: { policy: TRANSIENT, resume: false },
  // The version is ahead of the server, as after a backup of etcd was restored; or the server was too slow.
  504: { policy: TRANSIENT, resume: false },
};
/** A request that this version of the server does not understand. */
const DEFAULT_RECOVERY: Recovery = { policy: UNSUPPORTED, resume: false };

/** What to do after an answer of this status to a list or a watch. */
export function recoveryFor(status: number): Recovery {
  return RECOVERIES[status] ?? DEFAULT_RECOVERY;
}

/** Milliseconds until the next try. `afterMs` is what the server asked for; nobody comes back before that. */
export function retryDelayMs(pace: RetryPolicy, failures: number, afterMs: number | undefined, random: () => number): number {
  const backoff = pace.minMs + backoffMs(failures, pace, random);
  return Math.max(backoff, (afterMs ?? 0) * (1 + RETRY_AFTER_JITTER * random()));
}
