import type { Clock } from "../lib/clock.ts";
import { LibvirtClient } from "../libvirt/client.ts";
import type { SessionLease } from "./bulk-stats.ts";

/** Counts calls to libvirt, of as many endpoints as share it. */
export interface CallCount {
  calls: number;
}

/** The connection to one daemon that calls are made on, opened when there is none. */
export class DaemonSession implements SessionLease {
  readonly #socket: string;
  readonly #clock: Clock;
  readonly #count: CallCount;
  readonly #lost: () => void;
  #current: LibvirtClient | undefined;

  /** `lost` is told when a connection ends that was not closed here. */
  constructor(socket: string, clock: Clock, { count, lost }: { readonly count: CallCount; readonly lost: () => void }) {
    this.#socket = socket;
    this.#clock = clock;
    this.#count = count;
    this.#lost = lost;
  }

  get libvirtVersion(): string | undefined {
    return this.#current?.libvirtVersion;
  }

  async session(deadline: number): Promise<LibvirtClient> {
    if (this.#current?.isOpen === true) return this.#current;
    const session = await LibvirtClient.open(this.#socket, {
      deadlineMs: Math.max(1, deadline - this.#clock.monotonic()),
      onCall: () => {
        this.#count.calls++;
      },
    });
    this.#current = session;
    void session.closed.then((error) => {
      if (error !== undefined) this.#lost();
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
