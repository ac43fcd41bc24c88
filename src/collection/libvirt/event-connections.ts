import type { LibvirtClient } from "../../libvirt/client.ts";
import { LibvirtError } from "../../libvirt/errors.ts";
import type { DomainEventName } from "../../libvirt/protocol.ts";
import type { DomainEvent } from "../../libvirt/types.ts";
import { EventOverlap } from "./event-overlap.ts";

const SUBSCRIPTION = { deadlineMs: Number.POSITIVE_INFINITY };

/** Receives each event of a daemon once, although its connections replace each other. */
export class EventConnections {
  readonly #receive: (event: DomainEvent) => void;
  readonly #failed: (error: LibvirtError) => void;
  /** The last connection that is subscribed. */
  #session: LibvirtClient | undefined;
  /** The last connection. When it is subscribed, it replaces the one before. */
  #newest: LibvirtClient | undefined;
  /** The connection before `#session`. Its events count for one more turn of the event loop: they may be older than the subscription. */
  #replaced: LibvirtClient | undefined;
  /** It is no longer used for calls, and is closed when the next connection has events. */
  #kept: LibvirtClient | undefined;
  readonly #overlap = new EventOverlap();

  /** `failed` is called if a daemon sends no events. */
  constructor(receive: (event: DomainEvent) => void, failed: (error: LibvirtError) => void) {
    this.#receive = receive;
    this.#failed = failed;
  }

  /** Subscribes to the events of a connection, once. From then on it replaces the connection before. Does not wait. */
  follow(session: LibvirtClient, names: readonly DomainEventName[]): void {
    if (this.#session === session) return;
    this.#leaveReplaced();
    this.#newest = session;
    if (this.#session?.isOpen !== true) this.#replace(session);
    const listener = (event: DomainEvent): void => {
      if (this.#isFirst(event, session)) this.#receive(event);
    };
    session
      .subscribe(names, listener, SUBSCRIPTION)
      .catch((error: unknown) => {
        // If the connection is lost, the next one is subscribed. A daemon that does not answer is reported by other calls.
        if (error instanceof LibvirtError && error.code === "E_LIBVIRT_REMOTE") this.#failed(error);
      })
      .finally(() => {
        if (session.isOpen && this.#newest === session) this.#replace(session);
      });
  }

  /**
   * Returns whether a connection that calls no longer use stays open, because no other one has events yet. libvirt lists a domain
   * no longer when it begins to end its QEMU, may answer no call about it meanwhile, and sends the last events afterwards: the next
   * connection may be too late for them.
   */
  keep(session: LibvirtClient): boolean {
    if (this.#session !== session || !session.isOpen) return false;
    this.#leaveReplaced();
    this.#kept = session;
    return true;
  }

  close(): void {
    this.#leaveReplaced();
    this.#session?.ignoreEvents();
    this.#session = undefined;
    this.#newest = undefined;
    this.#closeKept();
  }

  #replace(session: LibvirtClient): void {
    const before = this.#session;
    if (before === session) return;
    this.#session = session;
    this.#replaced = before;
    setImmediate(() => {
      if (this.#replaced === before) this.#leaveReplaced();
    });
  }

  #leaveReplaced(): void {
    if (this.#replaced === undefined) return;
    this.#replaced.ignoreEvents();
    this.#replaced = undefined;
    this.#overlap.clear();
    this.#closeKept();
  }

  #closeKept(): void {
    this.#kept?.close();
    this.#kept = undefined;
  }

  /** Returns whether an event counts. While one connection replaces another, both may have it, or only one of them. */
  #isFirst(event: DomainEvent, session: LibvirtClient): boolean {
    if (session !== this.#replaced && session !== this.#session && session !== this.#newest) return false;
    const isAlone = this.#replaced === undefined && this.#session === this.#newest;
    return isAlone || this.#overlap.isFirst(event, session === this.#newest);
  }
}
