import type { Clock } from "../../lib/clock.ts";
import { LibvirtClient } from "../../libvirt/client.ts";
import { LibvirtError } from "../../libvirt/errors.ts";
import { limitedPeer, trustedPeer, type Peer, type SharedLimits } from "../../libvirt/peer.ts";
import type { CallOptions } from "../../libvirt/types.ts";
import type { SessionLease } from "./session-lease.ts";
import { ConnectionLimit } from "./connection-limit.ts";
import type { Endpoint } from "./endpoint.ts";
import { LAST_CALL_MS } from "./time-limits.ts";

/** What needs connections besides calls. */
export interface SessionFollower {
  /** Is called with each new connection, before its first call. */
  follow(session: LibvirtClient): void;
  /** Is called with a connection that calls no longer use. Returns whether it must stay open; the follower then closes it. */
  keep(session: LibvirtClient): boolean;
}

export interface SessionOptions {
  /** What all launchers share. */
  readonly shared: SharedLimits;
  /** For the connections to all daemons. Without it their number has no limit. */
  readonly connections?: ConnectionLimit | undefined;
  readonly clock: Clock;
  /** Is called when a connection ends that this side did not close. */
  readonly onLost: () => void;
  readonly follower?: SessionFollower;
}

/** Holds the current connection to one daemon, and opens a new one when needed. */
export class DaemonSession implements SessionLease {
  readonly #socket: string;
  readonly #onUnreachable: () => void;
  readonly #peer: Peer;
  readonly #clock: Clock;
  readonly #onLost: () => void;
  readonly #follower: SessionFollower | undefined;
  readonly #connections: ConnectionLimit;
  #calls = 0;
  #current: LibvirtClient | undefined;
  /** The connection that is being opened, so that callers at the same time share it. */
  #opening: Promise<LibvirtClient> | undefined;
  #limitError: LibvirtError | undefined;
  #qemuVersion: string | undefined;
  /** The connection that was asked for the version of QEMU. */
  #askedForQemu: LibvirtClient | undefined;

  constructor(
    { socket, budget, onUnreachable = () => undefined }: Pick<Endpoint, "socket" | "budget" | "onUnreachable">,
    { shared, clock, onLost, follower, connections = new ConnectionLimit() }: SessionOptions,
  ) {
    this.#socket = socket;
    this.#onUnreachable = onUnreachable;
    this.#peer = budget === undefined ? trustedPeer() : limitedPeer(budget, shared, () => clock.monotonic());
    this.#clock = clock;
    this.#onLost = onLost;
    this.#follower = follower;
    this.#connections = connections;
  }

  /** Calls on all connections so far. */
  get calls(): number {
    return this.#calls;
  }

  /** The daemon's version; empty without a connection. */
  get versions(): readonly string[] {
    return this.#current === undefined ? [] : [this.#current.libvirtVersion];
  }

  /** The version of the daemon's QEMU; empty until `learnQemuVersion` has an answer. */
  get qemuVersions(): readonly string[] {
    return this.#qemuVersion === undefined ? [] : [this.#qemuVersion];
  }

  /** Asks for the version of QEMU, once in each connection. Does not wait: the answer of a new daemon can take seconds. */
  learnQemuVersion(session: LibvirtClient): void {
    if (this.#askedForQemu === session) return;
    this.#askedForQemu = session;
    session.hypervisorVersion({ deadlineMs: Number.POSITIVE_INFINITY }).then(
      (version) => {
        if (this.#askedForQemu === session) this.#qemuVersion = version;
      },
      () => undefined,
    );
  }

  /** @throws {LibvirtError} E_LIBVIRT_LIMIT until `takeLimitError`, if the daemon has exceeded its budget */
  async session(deadline: number): Promise<LibvirtClient> {
    if (this.#limitError !== undefined) throw this.#limitError;
    if (this.#current?.isOpen === true) {
      this.#connections.used(this.#current);
      return this.#current;
    }
    this.#opening ??= this.#open(deadline).finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  /** Makes a call that never waits for a QEMU, also after `deadline` (monotonic clock). */
  async lastCall<Result>(
    deadline: number,
    call: (session: LibvirtClient, options: CallOptions) => Promise<Result>,
  ): Promise<Result> {
    const end = Math.max(deadline, this.#clock.monotonic() + LAST_CALL_MS);
    const session = await this.session(end);
    return call(session, { deadlineMs: Math.max(LAST_CALL_MS, end - this.#clock.monotonic()) });
  }

  /**
   * Returns the error of a connection that ended because the daemon exceeds its budget, once. The cycle must end with this
   * error: the connection may have been idle, or may have had a blocked call, so that no call of the cycle failed with it.
   */
  takeLimitError(): LibvirtError | undefined {
    const error = this.#limitError;
    this.#limitError = undefined;
    return error;
  }

  abandon(session: LibvirtClient): void {
    if (this.#current === session) this.#current = undefined;
  }

  release(session: LibvirtClient): void {
    if (this.#follower?.keep(session) !== true) session.close();
  }

  /** Gives up the current connection and releases it. The next `session()` opens one. */
  replace(): void {
    const session = this.#current;
    this.#current = undefined;
    if (session !== undefined) this.release(session);
  }

  close(): void {
    this.#current?.close();
  }

  async #open(deadline: number): Promise<LibvirtClient> {
    const opening = this.#connections.open(() =>
      LibvirtClient.open(this.#socket, {
        deadlineMs: Math.max(1, deadline - this.#clock.monotonic()),
        onCall: () => {
          this.#calls++;
        },
        peer: this.#peer,
      }),
    );
    const session = await opening.catch((error: unknown) => {
      if (error instanceof LibvirtError && error.code === "E_LIBVIRT_UNREACHABLE") this.#onUnreachable();
      throw error;
    });
    this.#current = session;
    this.#follower?.follow(session);
    void session.closed.then((error) => {
      if (error?.code === "E_LIBVIRT_LIMIT") this.#limitError = error;
      if (error === undefined) return;
      // The next connection may be to another daemon.
      this.#qemuVersion = undefined;
      this.#onLost();
    });
    return session;
  }
}
