import type { Clock } from "../../lib/clock.ts";
import type { LibvirtClient } from "../../libvirt/client.ts";
import { LibvirtError } from "../../libvirt/errors.ts";
import { DOMAIN_FILTER, STATS_GROUP } from "../../libvirt/protocol.ts";
import type { DomainRef, DomainStats } from "../../libvirt/types.ts";
import { AnswerTimes } from "./reply-times.ts";
import { activityOf, suspectsOf, type Activity } from "./domain-jobs.ts";
import { HeldCalls, STUCK_MS, type HeldCall, type LateAnswer } from "./blocked-calls.ts";
import { LAST_CALL_MS, patienceFor } from "./time-limits.ts";

/** Gives the connection to ask on, opening one when there is none. */
export interface SessionLease {
  session(deadline: number): Promise<LibvirtClient>;
  /** The connection has a call that waits in the daemon; the next `session()` is another. */
  abandon(session: LibvirtClient): void;
}

/**
 * Workers of a shared daemon that stuck domains may hold through us. libvirtd has 20 for all its clients. While that
 * many are held, one more call is tried, so that all other domains go on with exactly this many stuck.
 */
const MAX_HELD_WORKERS = 4;
/** Groups that libvirt answers without asking QEMU's monitor, so they cannot get stuck. */
const SAFE_GROUPS = STATS_GROUP.STATE | STATS_GROUP.INTERFACE;
/**
 * The bulk statistics call, made so that a slow or stuck QEMU costs the other domains nothing. libvirtd answers it domain
 * by domain and waits for a stopped QEMU without end; NOWAIT only skips a domain that some other call waits for already.
 * So a call that makes no progress is left alone, as the one that waits, and the next call, on a new connection, skips
 * that domain. DOMAIN_GET_CONTROL_INFO, which never waits, tells a slow QEMU from a slow daemon, and its name. What the
 * held call brings before the cycle's deadline is used.
 */
export class BulkStats {
  readonly #lease: SessionLease;
  readonly #clock: Clock;
  readonly #held: HeldCalls;
  readonly #times = new AnswerTimes();

  constructor(lease: SessionLease, clock: Clock) {
    this.#lease = lease;
    this.#clock = clock;
    this.#held = new HeldCalls(clock);
  }

  /** Calls that domains hold at this moment. */
  get heldWorkers(): number {
    return this.#held.calls.length;
  }

  /** When the held call that waits for this domain was made, on the monotonic clock; undefined when none does. */
  heldSince({ uuid }: DomainRef): number | undefined {
    return this.#held.waitingFor(uuid)?.askedMs;
  }

  /**
   * The statistics of all active domains. `domains` are those known to run; `deadline` is on the monotonic clock.
   * @throws LibvirtError E_LIBVIRT_TIMEOUT when the daemon makes no progress for another reason than a domain.
   */
  async read(groups: number, domains: readonly DomainRef[], deadline: number): Promise<BulkReply> {
    const start = this.#clock.monotonic();
    const patienceMs = patienceFor(deadline - start);
    this.#held.startCycle();
    await this.#explainLate({ domains, deadline, patienceMs });
    const slow = this.#times.slowOf(domains);
    const usualMs = 1.5 * this.#times.expectedMs;
    // A stuck domain must leave time for the calls after the first.
    const longestMs = (deadline - start) / 3;
    const asksAhead = usualMs > longestMs && slow.length > 0;
    // To take as long as usual is no sign of a stuck domain.
    let firstWaitMs = asksAhead ? patienceMs : Math.max(patienceMs, Math.min(usualMs, longestMs));
    let timestampMs = asksAhead ? this.#clock.now() : undefined;
    if (asksAhead) await this.#askAhead(slow, { groups, deadline, patienceMs });
    while (await this.#mayAsk(deadline - 2 * patienceMs)) {
      // A call that would be given up at once is better not made.
      if (deadline - this.#clock.monotonic() < patienceMs) break;
      const session = await this.#lease.session(deadline);
      const postponed = await this.#answered(session, domains, deadline);
      timestampMs ??= this.#clock.now();
      const wanted = postponed.size === 0 ? undefined : domains.filter(({ uuid }) => !postponed.has(uuid));
      if (wanted?.length === 0) return { stats: [], timestampMs, groups, postponed, obstacle: undefined };
      const asked = this.#clock.monotonic();
      const stats = await this.#attempt({ session, groups, wanted, domains, deadline, patienceMs }, firstWaitMs);
      firstWaitMs = patienceMs;
      if (stats === undefined) continue;
      // A domain that is waited for elsewhere was skipped.
      const own = (wanted ?? domains).filter(({ uuid }) => this.#held.waitingFor(uuid) === undefined);
      this.#times.answered(this.#clock.monotonic() - asked, patienceMs, own);
      return { stats, timestampMs, groups, postponed, obstacle: undefined };
    }
    const obstacle = this.#obstacle;
    // It never waits for a QEMU, so it may be made when the time is up.
    const end = Math.max(deadline, this.#clock.monotonic() + LAST_CALL_MS);
    const session = await this.#lease.session(end);
    timestampMs ??= this.#clock.now();
    const safe = groups & SAFE_GROUPS;
    const stats = await this.#call(session, { groups: safe }, Math.max(1, end - this.#clock.monotonic()));
    return { stats, timestampMs, groups: safe, postponed: new Set(), obstacle };
  }

  /**
   * What a held call says of a domain that `read` has no QEMU's values of: the first answer until the deadline that
   * `accept` takes; undefined when there is none.
   */
  async lateAnswer<Accepted>(
    domain: DomainRef,
    deadline: number,
    accept: (answer: LateAnswer) => Accepted | undefined,
  ): Promise<Accepted | undefined> {
    for (;;) {
      for (const answer of this.#held.answersOf(domain)) {
        const accepted = accept(answer);
        if (accepted !== undefined) return accepted;
      }
      if (!(await this.#held.oneReturns(this.#held.callsFor(domain), deadline))) return undefined;
    }
  }

  close(): void {
    for (const { session } of this.#held.calls) session.close();
  }

  /** Waits, if too many calls are held by QEMUs that are only slow. One late for an unknown reason must return first. */
  async #mayAsk(deadline: number): Promise<boolean> {
    const { calls } = this.#held;
    if (calls.some(isUnexplained)) return false;
    if (calls.length <= MAX_HELD_WORKERS) return true;
    return (await this.#held.oneReturns(calls, deadline)) && this.#mayAsk(deadline);
  }

  get #obstacle(): BulkReply["obstacle"] {
    const { calls } = this.#held;
    const tooMany = calls.length > MAX_HELD_WORKERS;
    if (!tooMany && !calls.some(isUnexplained)) return "late";
    if (calls.every(({ askedMs }) => this.#clock.monotonic() - askedMs >= STUCK_MS)) return "stuck";
    return tooMany ? "slow" : "late";
  }

  #call(session: LibvirtClient, { wanted, groups }: Wanted, deadlineMs: number): Promise<DomainStats[]> {
    const flags = DOMAIN_FILTER.ACTIVE | DOMAIN_FILTER.NOWAIT;
    return session.allDomainStats({ ...(wanted !== undefined && { domains: wanted }), groups, flags }, { deadlineMs });
  }

  /** The statistics, or undefined when the call waits for a domain and was left alone. Looks for one after `firstWaitMs`. */
  async #attempt(request: Attempt, firstWaitMs: number): Promise<DomainStats[] | undefined> {
    const { session, deadline, patienceMs } = request;
    const askedMs = this.#clock.monotonic();
    const call = this.#call(session, request, Number.POSITIVE_INFINITY);
    const answered = new AbortController();
    const isAnswered = (): boolean => answered.signal.aborted;
    const settled = call.then(
      (stats) => ({ stats }),
      (error: unknown) => ({ error }),
    );
    void settled.then(() => {
      answered.abort();
    });
    const hold = (suspects: readonly string[]): void => {
      this.#hold({ session, askedMs, suspects }, call, patienceMs);
    };
    let seen: Activity = new Map();
    for (let waitMs = firstWaitMs; ; waitMs = patienceMs / 2) {
      const leftMs = deadline - this.#clock.monotonic();
      if (leftMs <= 0 && !isAnswered()) {
        hold([]);
        throw late();
      }
      await this.#clock.sleep(Math.min(waitMs, leftMs), answered.signal);
      if (isAnswered()) {
        const outcome = await settled;
        if ("error" in outcome) throw outcome.error;
        return outcome.stats;
      }
      const before = seen;
      seen = await this.#activity(request);
      const suspects = suspectsOf(seen, patienceMs / 2, before);
      if (suspects.length > 0 && !isAnswered()) {
        hold(suspects);
        return undefined;
      }
    }
  }

  /**
   * Asks for domains that are known to be slow, each by a call of its own that is held at once: one after the other, found
   * out anew, they would take longer than the cycle.
   */
  async #askAhead(
    slow: readonly DomainRef[],
    { groups, deadline, patienceMs }: Pick<Attempt, "groups" | "deadline" | "patienceMs">,
  ): Promise<void> {
    const free = Math.max(0, MAX_HELD_WORKERS - this.#held.calls.length);
    for (const domain of slow.filter(({ uuid }) => this.#held.waitingFor(uuid) === undefined).slice(0, free)) {
      const session = await this.#lease.session(deadline);
      const askedMs = this.#clock.monotonic();
      const call = this.#call(session, { wanted: [domain], groups }, Number.POSITIVE_INFINITY);
      this.#hold({ session, askedMs, suspects: [domain.uuid] }, call, patienceMs);
    }
  }

  #hold(held: HeldCall, call: Promise<readonly DomainStats[]>, patienceMs: number): void {
    this.#lease.abandon(held.session);
    void this.#held.hold(held, call).then((answeredMs) => {
      if (answeredMs !== undefined && answeredMs < STUCK_MS)
        this.#times.heldAnswered(answeredMs, patienceMs, held.suspects);
    });
  }

  /** Tells of a call that an earlier cycle gave up for an unknown reason which domain it waits for, if it is a domain. */
  async #explainLate(request: Pick<Attempt, "domains" | "deadline" | "patienceMs">): Promise<void> {
    const unexplained = this.#held.calls.find(isUnexplained);
    if (unexplained === undefined) return;
    const session = await this.#lease.session(request.deadline);
    unexplained.suspects = suspectsOf(await this.#activity({ session, ...request }), request.patienceMs / 2);
  }

  /**
   * UUIDs of the domains that calls of this cycle waited for and have the values of by now. To ask such a slow QEMU once
   * more would mean to wait for it once more.
   */
  async #answered(
    session: LibvirtClient,
    domains: readonly DomainRef[],
    deadline: number,
  ): Promise<ReadonlySet<string>> {
    const deadlineMs = Math.max(1, deadline - this.#clock.monotonic());
    const suspects = domains.filter(({ uuid }) => this.#held.suspectsOfCycle.has(uuid));
    const busy = await activityOf(session, suspects, deadlineMs);
    return new Set(suspects.flatMap(({ uuid }) => (busy.has(uuid) ? [] : [uuid])));
  }

  /** What goes on in the domains that no held call stands for. */
  async #activity({ session, domains, deadline, patienceMs }: Omit<Attempt, keyof Wanted>): Promise<Activity> {
    const unknown = domains.filter(({ uuid }) => this.#held.waitingFor(uuid) === undefined);
    return activityOf(session, unknown, Math.max(patienceMs, deadline - this.#clock.monotonic()));
  }
}

function isUnexplained({ suspects }: HeldCall): boolean {
  return suspects.length === 0;
}

/** The bulk statistics missed the deadline, for no domain's fault that is known. */
export function late(): LibvirtError {
  return new LibvirtError("E_LIBVIRT_TIMEOUT", "the bulk statistics did not come within the cycle's timeout");
}

export interface BulkReply {
  readonly stats: readonly DomainStats[];
  /** UUIDs of domains that were left out, because an earlier call of this cycle has their values: see `lateAnswer`. */
  readonly postponed: ReadonlySet<string>;
  /** When the cycle first asked for statistics, wall clock: no value of it is older. */
  readonly timestampMs: number;
  /** The groups that were asked for. */
  readonly groups: number;
  /**
   * Why fewer were asked for than were wanted: calls are held by too many QEMUs that are stuck, or that are only slow
   * until now, or the daemon is late, for an unknown reason or because of slow QEMUs one after the other.
   */
  readonly obstacle: "stuck" | "slow" | "late" | undefined;
}

interface Wanted {
  /** Undefined for all active domains. */
  readonly wanted?: readonly DomainRef[] | undefined;
  readonly groups: number;
}

interface Attempt extends Wanted {
  readonly session: LibvirtClient;
  readonly domains: readonly DomainRef[];
  readonly deadline: number;
  readonly patienceMs: number;
}
