import type { LibvirtClient } from "../../libvirt/client.ts";

/** Provides the connection for the next call. */
export interface SessionLease {
  /** Returns the current connection, or opens one before `deadline` (monotonic clock). */
  session(deadline: number): Promise<LibvirtClient>;
  /** Gives up a connection that has a blocked call. The next `session()` returns a new one. */
  abandon(session: LibvirtClient): void;
  /** Closes a connection that was given up, as soon as nothing needs it. */
  release(session: LibvirtClient): void;
}
