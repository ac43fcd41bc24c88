/** The last of this number of addresses that do not answer is still tried. Those that refuse the connection take no time. */
const SILENT_ADDRESSES = 4;
/** Node's default for each address but the last. A distant host may never be reached with it. */
const MIN_MS = 250;
/** No handshake takes longer. */
const MAX_MS = 5_000;

/**
 * Returns how long a connection to one of several addresses may take before the next address is tried, of the time for all of
 * them; in milliseconds.
 */
export function addressTimeoutMs(timeoutMs: number): number {
  return Math.min(MAX_MS, Math.max(MIN_MS, Math.floor(timeoutMs / SILENT_ADDRESSES)));
}
