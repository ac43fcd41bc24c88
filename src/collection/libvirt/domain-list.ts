import type { Clock } from "../../lib/clock.ts";
import { Waker } from "../../lib/waker.ts";
import type { LibvirtClient } from "../../libvirt/client.ts";
import { LibvirtError } from "../../libvirt/errors.ts";
import { DOMAIN_FILTER } from "../../libvirt/protocol.ts";
import type { DomainRef } from "../../libvirt/types.ts";

type Settled = { readonly domains: readonly DomainRef[] } | { readonly error: unknown };

interface PendingList {
  readonly session: LibvirtClient;
  readonly calledMs: number;
  readonly settled: Promise<Settled>;
  /** Set when the daemon has answered. */
  result: Settled | undefined;
}

export interface ListedDomains {
  readonly domains: readonly DomainRef[];
  /** For how long the daemon has not answered the call for the list; the domains are those of the last list. 0 if it has. */
  readonly lateMs: number;
}

/**
 * Lists the running domains of one daemon. For a list libvirt waits for the lock of each domain, and it holds the lock of a domain
 * that starts, up to seconds. Meanwhile the domains of the last list are used.
 */
export class DomainList {
  readonly #clock: Clock;
  #last: readonly DomainRef[] | undefined;
  #pending: PendingList | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Returns the running domains. Waits for the list for `waitMs`, or until `deadline` (monotonic clock) if there is no earlier one.
   * A late list is used in the next cycle.
   * @throws {LibvirtError} if the call fails, or E_LIBVIRT_TIMEOUT if there is no earlier list
   */
  async read(session: LibvirtClient, waitMs: number, deadline: number): Promise<ListedDomains> {
    if (this.#pending?.session !== session) this.#pending = this.#call(session);
    const pending = this.#pending;
    const leftMs = Math.max(1, deadline - this.#clock.monotonic());
    if (pending.result === undefined) await this.#wait(pending, this.#last === undefined ? leftMs : waitMs);
    const { result, calledMs } = pending;
    const lateMs = this.#clock.monotonic() - calledMs;
    if (result === undefined) {
      if (this.#last !== undefined) return { domains: this.#last, lateMs };
      throw notListed(lateMs);
    }
    this.#pending = undefined;
    if ("error" in result) throw result.error;
    this.#last = result.domains;
    return { domains: result.domains, lateMs: 0 };
  }

  #call(session: LibvirtClient): PendingList {
    const settled = session.listDomains(DOMAIN_FILTER.ACTIVE, { deadlineMs: Number.POSITIVE_INFINITY }).then(
      (domains): Settled => ({ domains }),
      (error: unknown): Settled => ({ error }),
    );
    const pending: PendingList = { session, calledMs: this.#clock.monotonic(), settled, result: undefined };
    void settled.then((result) => {
      pending.result = result;
    });
    return pending;
  }

  async #wait({ settled }: PendingList, ms: number): Promise<void> {
    const answered = new Waker();
    void settled.then(() => {
      answered.wake();
    });
    await this.#clock.sleep(ms, answered);
    // Timers run before sockets are read: if this process was busy, an answer in time may still be unread.
    if (!answered.aborted) await new Promise(setImmediate);
  }
}

/** Returns the error of a daemon that has not listed its domains for this long. */
export function notListed(ms: number): LibvirtError {
  const why = `libvirt did not answer CONNECT_LIST_ALL_DOMAINS within ${Math.round(ms)} ms`;
  return new LibvirtError("E_LIBVIRT_TIMEOUT", why);
}
