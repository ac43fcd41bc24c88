import type { LibvirtClient } from "../../libvirt/client.ts";

type Connection = Pick<LibvirtClient, "closed" | "destroy">;

/**
 * Keeps the connections to all daemons within a limit, so that launchers cannot take the file descriptors that the spool, the
 * targets and the status port need. For another connection, the one that was not used for the longest time is closed; it is
 * opened again when its daemon is collected. So a launcher that does not answer cannot keep its place.
 */
export class ConnectionLimit {
  readonly #limit: number;
  readonly #onReached: () => void;
  /** In the order of their last use. */
  readonly #open = new Set<Connection>();
  readonly #opening = new Set<Promise<unknown>>();

  /** `onReached` is called each time a connection is closed for another one. */
  constructor(limit = Number.POSITIVE_INFINITY, onReached: () => void = () => undefined) {
    this.#limit = limit;
    this.#onReached = onReached;
  }

  /** Opens a connection when there is room for it. Rejects as `open` does, which must have a deadline. */
  async open<Opened extends Connection>(open: () => Promise<Opened>): Promise<Opened> {
    while (this.#opening.size >= this.#limit) await Promise.race(this.#opening);
    const opened = open();
    const settled = opened.catch(() => undefined);
    this.#opening.add(settled);
    this.#makeRoom();
    try {
      const connection = await opened;
      this.#open.add(connection);
      void connection.closed.then(() => this.#open.delete(connection));
      return connection;
    } finally {
      this.#opening.delete(settled);
    }
  }

  /** Must be called for every use of a connection. */
  used(connection: Connection): void {
    if (this.#open.delete(connection)) this.#open.add(connection);
  }

  #makeRoom(): void {
    for (const connection of this.#open) {
      if (this.#open.size + this.#opening.size <= this.#limit) return;
      this.#open.delete(connection);
      connection.destroy();
      this.#onReached();
    }
  }
}
