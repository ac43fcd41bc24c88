import type { Clock } from "../../lib/clock.ts";
import { LibvirtClient } from "../../libvirt/client.ts";
import type { SessionLease } from "./bulk-stats.ts";

/** Holds the current connection to one daemon, and opens a new one when needed. */
export class DaemonSession implements SessionLease {
  readonly #socket: string;
  readonly #clock: Clock;
  readonly #onLost: () => void;
  #calls = 0;
  #current: LibvirtClient | undefined;

  /** `onLost` is called when a connection ends that this side did not close. */
  constructor(socket: string, clock: Clock, onLost: () => void) {
    this.#socket = socket;
    this.#clock = clock;
    this.#onLost = onLost;
  }

  /** Calls on all connections so far. */
  get calls(): number {
    return this.#calls;
  }

  /** The daemon's version; undefined without a connection. */
  get libvirtVersion(): string | undefined {
    return this.#current?.libvirtVersion;
  }

  async session(deadline: number): Promise<LibvirtClient> {
    if (this.#current?.isOpen === true) return this.#current;
    const session = await LibvirtClient.open(this.#socket, {
      deadlineMs: Math.max(1, deadline - this.#clock.monotonic()),
      onCall: () => {
        this.#calls++;
      },
    });
    this.#current = session;
    void session.closed.then((error) => {
      if (error !== undefined) this.#onLost();
    });
    return session;
  }

  abandon(session: LibvirtClient): void {
    if (this.#current === session) this.#current = undefined;
  }

  close(): void {
    this.#current?.close();
  }
}
