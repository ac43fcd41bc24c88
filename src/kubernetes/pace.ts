import { backoffMs, type BackoffOptions } from "../lib/backoff.ts";

/** How soon something that failed is tried again. */
export interface Pace extends BackoffOptions {
  /** Not before this, whatever the dice say. */
  readonly leastMs: number;
}

/** The server or the network is in trouble. */
export const SOON: Pace = { baseMs: 1_000, capMs: 30_000, leastMs: 0 };
/** Somebody has to change something first, and each try is for nothing. */
const SLOWLY: Pace = { baseMs: 30_000, capMs: 240_000, leastMs: 30_000 };
/** Somebody has to grant a right first; but a server that has just started refuses too, until it has read its rules. */
const DENIED: Pace = { baseMs: 1_000, capMs: 240_000, leastMs: 0 };
/** All nodes are told at one moment that they have to list, and listing is what costs the API server. */
export const SPREAD: Pace = { baseMs: 10_000, capMs: 30_000, leastMs: 0 };

/** Spreads nodes that were all told to come back at one moment. */
const RETRY_AFTER_JITTER = 0.5;

interface Plan {
  readonly pace: Pace;
  /** Whether a watch may go on from the version that it was refused for. */
  readonly resume: boolean;
}

const PLANS: Readonly<Record<number, Plan>> = {
  401: { pace: SOON, resume: true },
  403: { pace: DENIED, resume: true },
  410: { pace: SPREAD, resume: false },
  429: { pace: SOON, resume: true },
  500: { pace: SOON, resume: false },
  502: { pace: SOON, resume: true },
  503: { pace: SOON, resume: true },
  // The kind is not served, or not yet.
  404: { pace: SOON, resume: false },
  // The version is ahead of the server, as after a backup of etcd was restored; or the server was too slow.
  504: { pace: SOON, resume: false },
};
/** A request that this version of the server does not understand. */
const OTHERWISE: Plan = { pace: SLOWLY, resume: false };

/** What to do after an answer of this status to a list or a watch. */
export function planFor(status: number): Plan {
  return PLANS[status] ?? OTHERWISE;
}

/** Milliseconds until the next try. `afterMs` is what the server asked for; nobody comes back before that. */
export function waitMs(pace: Pace, failures: number, afterMs: number | undefined, random: () => number): number {
  const backoff = pace.leastMs + backoffMs(failures, pace, random);
  return Math.max(backoff, (afterMs ?? 0) * (1 + RETRY_AFTER_JITTER * random()));
}
