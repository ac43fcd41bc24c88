/** Time limit of one request. */
export const TIMEOUT_MS = 2_000;
export const FLUSH_MS = 1_000;

/** Limits of the official client's WriteApi. */
export const LIMITS = {
  flushInterval: FLUSH_MS,
  maxRetries: 1_000,
  maxRetryTime: 3_600_000,
  maxBufferLines: 1_000_000,
  minRetryDelay: 500,
  maxRetryDelay: 10_000,
};
