import type { Clock } from "../lib/clock.ts";
import type { LibvirtClient } from "../libvirt/client.ts";
import { LibvirtError } from "../libvirt/errors.ts";
import { DOMAIN_FILTER, STATS_GROUP } from "../libvirt/protocol.ts";
import type { DomainRef, DomainStats } from "../libvirt/types.ts";

/** Gives the connection to ask on, opening one when there is none. */
export interface SessionLease {
  session(deadline: number): Promise<LibvirtClient>;
  /** The connection has a call that is stuck in the daemon; the next `session()` is another. */
  abandon(session: LibvirtClient): void;
}

/**
 * Workers of a shared daemon that stuck domains may hold through us. libvirtd has 20 for all its clients. While that
 * many are held, one more call is tried, so that all other domains go on with exactly this many stuck.
 */
const MAX_HELD_WORKERS = 4;
/** Groups that libvirt answers without asking QEMU's monitor, so they cannot get stuck. */
const SAFE_GROUPS = STATS_GROUP.STATE | STATS_GROUP.INTERFACE;
/** virDomainControlState of a domain whose monitor command is outstanding. */
const CONTROL_OCCUPIED = 2;

interface HeldCall {
  readonly session: LibvirtClient;
  /** UUIDs of the domains that it waits for; empty while that is not known. */
  suspects: readonly string[];
}

/**
 * The bulk statistics call, made so that a stuck QEMU costs the other domains nothing. libvirtd answers it domain by
 * domain and waits for a stopped QEMU without end; NOWAIT only skips a domain that some other call waits for already. So
 * a call that makes no progress is left alone, as the one that waits, and the next call, on a new connection, skips that
 * domain. DOMAIN_GET_CONTROL_INFO, which never waits, tells a stuck domain from a slow daemon, and its name.
 */
export class BulkStats {
  readonly #lease: SessionLease;
  readonly #clock: Clock;
  readonly #held = new Set<HeldCall>();
  /** How long the last whole answer took: to take that long again is no sign of a stuck domain. */
  #usualMs = 0;

  constructor(lease: SessionLease, clock: Clock) {
    this.#lease = lease;
    this.#clock = clock;
  }

  /** Calls that stuck domains hold at this moment. */
  get heldWorkers(): number {
    return this.#held.size;
  }

  /** UUIDs of the domains that they wait for. */
  get suspects(): ReadonlySet<string> {
    return new Set([...this.#held].flatMap(({ suspects }) => suspects));
  }

  /**
   * The statistics of all active domains. `domains` are those known to run; `deadline` is on the monotonic clock.
   * @throws LibvirtError E_LIBVIRT_TIMEOUT when the daemon makes no progress for another reason than a stuck domain.
   */
  async read(groups: number, domains: readonly DomainRef[], deadline: number): Promise<BulkReply> {
    const start = this.#clock.monotonic();
    const patienceMs = Math.min(500, Math.max(150, (deadline - start) / 8));
    await this.#explainLate({ domains, deadline, patienceMs });
    // Only once, and so that a stuck domain leaves time for the calls after this one.
    let firstWaitMs = Math.max(patienceMs, Math.min(1.5 * this.#usualMs, (deadline - start) / 3));
    while (this.#mayAsk()) {
      // A call that would be given up at once is better not made.
      if (deadline - this.#clock.monotonic() < patienceMs) throw late();
      const session = await this.#lease.session(deadline);
      const timestampMs = this.#clock.now();
      const asked = this.#clock.monotonic();
      const stats = await this.#attempt({ session, groups, domains, deadline, patienceMs }, firstWaitMs);
      firstWaitMs = patienceMs;
      if (stats === undefined) continue;
      this.#usualMs = this.#clock.monotonic() - asked;
      return { stats, timestampMs, groups, whole: true };
    }
    const session = await this.#lease.session(deadline);
    const timestampMs = this.#clock.now();
    const safe = groups & SAFE_GROUPS;
    const stats = await this.#call(session, safe, Math.max(1, deadline - this.#clock.monotonic()));
    return { stats, timestampMs, groups: safe, whole: false };
  }

  close(): void {
    for (const { session } of this.#held) session.close();
  }

  /** A call that is late for an unknown reason must come back before another is made. */
  #mayAsk(): boolean {
    return this.#held.size <= MAX_HELD_WORKERS && ![...this.#held].some(({ suspects }) => suspects.length === 0);
  }

  #call(session: LibvirtClient, groups: number, deadlineMs: number): Promise<DomainStats[]> {
    return session.allDomainStats({ groups, flags: DOMAIN_FILTER.ACTIVE | DOMAIN_FILTER.NOWAIT }, { deadlineMs });
  }

  /** The statistics, or undefined when the call got stuck and was left alone. No domain is looked at before `firstWaitMs`. */
  async #attempt(request: Attempt, firstWaitMs: number): Promise<DomainStats[] | undefined> {
    const { session, groups, deadline, patienceMs } = request;
    const call = this.#call(session, groups, Number.POSITIVE_INFINITY);
    const answered = new AbortController();
    const isAnswered = (): boolean => answered.signal.aborted;
    const settled = call.then(
      (stats) => ({ stats }),
      (error: unknown) => ({ error }),
    );
    void settled.then(() => {
      answered.abort();
    });
    for (let waitMs = firstWaitMs; ; waitMs = patienceMs / 2) {
      const leftMs = deadline - this.#clock.monotonic();
      if (leftMs <= 0 && !isAnswered()) {
        this.#hold(session, [], settled);
        throw late();
      }
      await this.#clock.sleep(Math.min(waitMs, leftMs), answered.signal);
      if (isAnswered()) {
        const outcome = await settled;
        if ("error" in outcome) throw outcome.error;
        return outcome.stats;
      }
      const suspects = await this.#newSuspects(request);
      if (suspects.length > 0 && !isAnswered()) {
        this.#hold(session, suspects, settled);
        return undefined;
      }
    }
  }

  #hold(session: LibvirtClient, suspects: readonly string[], settled: Promise<unknown>): void {
    const held: HeldCall = { session, suspects };
    this.#held.add(held);
    this.#lease.abandon(session);
    void settled.then(() => {
      this.#held.delete(held);
      session.close();
    });
  }

  /** Tells of a call that an earlier cycle gave up for an unknown reason which domain it waits for, if it is a domain. */
  async #explainLate(request: Pick<Attempt, "domains" | "deadline" | "patienceMs">): Promise<void> {
    const late = [...this.#held].find(({ suspects }) => suspects.length === 0);
    if (late === undefined) return;
    const session = await this.#lease.session(request.deadline);
    late.suspects = await this.#newSuspects({ session, ...request });
  }

  /** UUIDs of domains whose monitor has been silent for a while and that no held call stands for. */
  async #newSuspects({ session, domains, deadline, patienceMs }: Omit<Attempt, "groups">): Promise<string[]> {
    const known = this.suspects;
    const deadlineMs = Math.max(patienceMs, deadline - this.#clock.monotonic());
    const suspects = await Promise.all(
      domains.map(async (domain) => {
        if (known.has(domain.uuid)) return [];
        try {
          const control = await session.domainControlInfo(domain, { deadlineMs });
          return control.state === CONTROL_OCCUPIED && control.stateTimeMs >= patienceMs / 2 ? [domain.uuid] : [];
        } catch (error) {
          // A domain that has gone meanwhile is no suspect; a lost connection shows in the call itself.
          if (error instanceof LibvirtError) return [];
          throw error;
        }
      }),
    );
    return suspects.flat();
  }
}

function late(): LibvirtError {
  return new LibvirtError("E_LIBVIRT_TIMEOUT", "the bulk statistics did not come within the cycle's timeout");
}

export interface BulkReply {
  readonly stats: readonly DomainStats[];
  /** When the statistics were asked for, wall clock. */
  readonly timestampMs: number;
  /** The groups that were asked for. */
  readonly groups: number;
  /** Whether those are all that were wanted: fewer are asked for while too many domains are stuck. */
  readonly whole: boolean;
}

interface Attempt {
  readonly session: LibvirtClient;
  readonly groups: number;
  readonly domains: readonly DomainRef[];
  readonly deadline: number;
  readonly patienceMs: number;
}
