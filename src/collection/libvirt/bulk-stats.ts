import type { Clock } from "../../lib/clock.ts";
import { Waker } from "../../lib/waker.ts";
import type { LibvirtClient } from "../../libvirt/client.ts";
import { DOMAIN_FILTER, STATS_GROUP } from "../../libvirt/protocol.ts";
import type { DomainRef, DomainStats } from "../../libvirt/types.ts";
import { callAhead, isCallFor, timesOf, type Attempt, type CallAhead, type Request } from "./bulk-calls.ts";
import { cycleTimeout, type BulkReply } from "./bulk-reply.ts";
import { ReplyTimes } from "./reply-times.ts";
import { jobsOf, blockersAmong, type Jobs } from "./domain-jobs.ts";
import { BlockedCalls, STUCK_MS, type BlockedCall, type LateReply } from "./blocked-calls.ts";
import type { SessionLease } from "./session-lease.ts";
import { LAST_CALL_MS, progressCheckMs } from "./time-limits.ts";

/**
 * With more blocked calls than this, no other call for QEMU's values is made, so one more than this can be blocked. Each
 * blocked call occupies one of the 20 workers that libvirtd has for all its clients.
 */
const MAX_BLOCKED_CALLS = 4;
/** Groups that libvirt reports without calling QEMU's monitor, so a stopped QEMU cannot block them. */
const SAFE_GROUPS = STATS_GROUP.STATE | STATS_GROUP.INTERFACE;

/**
 * Makes the bulk statistics call so that a slow or stuck QEMU does not affect other domains. libvirtd reads the
 * domains one by one and waits for a stopped QEMU without a limit; NOWAIT only skips a domain that another call already
 * waits for. So a call without progress is left blocked, and the next call, on a new connection, skips the blocking
 * domain. DOMAIN_GET_CONTROL_INFO never waits: it shows whether a QEMU or the daemon is slow, and which QEMU. The
 * values of a blocked call that returns before the cycle's deadline are still used.
 */
export class BulkStats {
  readonly #lease: SessionLease;
  readonly #clock: Clock;
  readonly #received: (stats: readonly DomainStats[], groups: number) => void;
  readonly #blocked: BlockedCalls;
  readonly #times = new ReplyTimes();
  /** The call that was made ahead and is not used yet. */
  #ahead: CallAhead | undefined;

  /** `received` is called with each reply, also after the wait for it is over. */
  constructor(
    lease: SessionLease,
    clock: Clock,
    received: (stats: readonly DomainStats[], groups: number) => void = () => undefined,
  ) {
    this.#lease = lease;
    this.#clock = clock;
    this.#received = received;
    this.#blocked = new BlockedCalls(clock, (session) => {
      lease.release(session);
    });
  }

  /** The number of blocked calls at this moment. */
  get blockedCalls(): number {
    return this.#blocked.calls.length;
  }

  /** Whether no domain blocks a call or is known to be slow. */
  get isQuick(): boolean {
    return this.blockedCalls === 0 && !this.#times.hasSlow;
  }

  /** Makes the call that the next `read` is expected to make. `checkMs` is as in `read`. */
  callAhead(session: LibvirtClient, domain: DomainRef, groups: number, checkMs: number): void {
    this.#ahead = callAhead({ session, domain, groups, checkMs }, this.#clock, () =>
      this.#call(session, { only: [domain], groups }, Number.POSITIVE_INFINITY),
    );
  }

  /** Call this at the end of a cycle. A call that was made ahead and not used may wait for a QEMU, so it counts as blocked. */
  leaveAhead(): void {
    const ahead = this.#takeAhead();
    if (ahead?.session.isOpen === true)
      this.#track({ ...ahead, blockedBy: [ahead.domain.uuid] }, ahead.stats, ahead.checkMs);
  }

  /** When the call that this domain blocks was made, on the monotonic clock; undefined if it blocks no call. */
  blockedSince({ uuid }: DomainRef): number | undefined {
    return this.#blocked.blockedBy(uuid)?.calledMs;
  }

  /**
   * Returns the statistics of these domains. Calls for all domains would wait for each one that starts. `deadline` is on the
   * monotonic clock.
   * @throws LibvirtError E_LIBVIRT_TIMEOUT if the daemon makes no progress and no domain is the reason
   */
  async read(groups: number, domains: readonly DomainRef[], deadline: number): Promise<BulkReply> {
    const start = this.#clock.monotonic();
    const checkMs = progressCheckMs(deadline - start);
    this.#blocked.startCycle(groups);
    this.#keepAheadFor(groups, domains);
    await this.#explainBlockedCall({ domains, deadline, checkMs });
    const slow = this.#times.slowOf(domains);
    const usualMs = 1.5 * this.#times.expectedMs;
    // If a domain is stuck, time must remain for the next calls.
    const longestMs = (deadline - start) / 3;
    const callsSlowFirst = usualMs > longestMs && slow.length > 0;
    // A call that takes as long as usual does not mean that a domain is stuck.
    let firstWaitMs = callsSlowFirst ? checkMs : Math.max(checkMs, Math.min(usualMs, longestMs));
    let timestampMs = callsSlowFirst ? this.#clock.now() : undefined;
    if (callsSlowFirst) await this.#callSlowDomains(slow, { groups, deadline, checkMs });
    while (await this.#mayCall(deadline - 2 * checkMs)) {
      // The time left is too short for a reply.
      if (deadline - this.#clock.monotonic() < checkMs) break;
      const ahead = this.#takeAhead();
      const session = await this.#sessionFor(ahead, deadline);
      const answeredBefore = await this.#answeredBefore(session, domains, deadline);
      const asked = timesOf(ahead, this.#clock);
      timestampMs ??= asked.timestampMs;
      const only = answeredBefore.size === 0 ? domains : domains.filter(({ uuid }) => !answeredBefore.has(uuid));
      if (only.length === 0) return { stats: [], timestampMs, groups, answeredBefore, limitedBy: undefined };
      const attempt = { session, groups, only, domains, deadline, checkMs, ahead };
      const stats = await this.#callUntilBlocked(attempt, firstWaitMs);
      firstWaitMs = checkMs;
      if (stats === undefined) continue;
      // The daemon skipped domains that block another call.
      const own = only.filter(({ uuid }) => this.#blocked.blockedBy(uuid) === undefined);
      this.#times.recordReply(this.#clock.monotonic() - asked.calledMs, checkMs, own);
      return { stats, timestampMs, groups, answeredBefore, limitedBy: undefined };
    }
    const limitedBy = this.#limitedBy;
    this.leaveAhead();
    // This call never waits for a QEMU, so it is made even after the deadline.
    const end = Math.max(deadline, this.#clock.monotonic() + LAST_CALL_MS);
    const session = await this.#lease.session(end);
    timestampMs ??= this.#clock.now();
    // libvirt reads a mask without groups as all groups, and then waits for QEMU.
    const safe = groups & SAFE_GROUPS || STATS_GROUP.STATE;
    const stats = await this.#call(
      session,
      { only: domains, groups: safe },
      Math.max(1, end - this.#clock.monotonic()),
    );
    return { stats, timestampMs, groups: safe, answeredBefore: new Set(), limitedBy };
  }

  /**
   * Waits for blocked calls that return values of this domain. Returns the first result of `accept` that is not
   * undefined, or undefined at the deadline.
   */
  async lateReply<Accepted>(
    domain: DomainRef,
    deadline: number,
    accept: (answer: LateReply) => Accepted | undefined,
  ): Promise<Accepted | undefined> {
    for (;;) {
      for (const answer of this.#blocked.repliesFor(domain)) {
        const accepted = accept(answer);
        if (accepted !== undefined) return accepted;
      }
      if (!(await this.#blocked.anyReturns(this.#blocked.usableFor(domain), deadline))) return undefined;
    }
  }

  close(): void {
    this.#blocked.dropReplies();
    for (const { session } of this.#blocked.calls) session.close();
  }

  /** Returns whether another call may be made. Waits while too many calls are blocked by QEMUs that are only slow. */
  async #mayCall(deadline: number): Promise<boolean> {
    const { calls } = this.#blocked;
    // The daemon itself may be blocked: another call would be too.
    if (calls.some(isUnexplained)) return false;
    if (calls.length <= MAX_BLOCKED_CALLS) return true;
    return (await this.#blocked.anyReturns(calls, deadline)) && this.#mayCall(deadline);
  }

  get #limitedBy(): BulkReply["limitedBy"] {
    const { calls } = this.#blocked;
    const tooMany = calls.length > MAX_BLOCKED_CALLS;
    if (!tooMany && !calls.some(isUnexplained)) return "late";
    if (calls.every(({ calledMs }) => this.#clock.monotonic() - calledMs >= STUCK_MS)) return "stuck";
    return tooMany ? "slow" : "late";
  }

  async #call(session: LibvirtClient, { only, groups }: Request, deadlineMs: number): Promise<DomainStats[]> {
    const flags = DOMAIN_FILTER.ACTIVE | DOMAIN_FILTER.NOWAIT;
    const stats = await session.allDomainStats({ domains: only, groups, flags }, { deadlineMs });
    this.#received(stats, groups);
    return stats;
  }

  #keepAheadFor(groups: number, domains: readonly DomainRef[]): void {
    if (this.#ahead !== undefined && !isCallFor(this.#ahead, groups, domains)) this.leaveAhead();
  }

  /** Returns the connection of the call that was made ahead, or the one for the next call. */
  #sessionFor(ahead: CallAhead | undefined, deadline: number): Promise<LibvirtClient> {
    return ahead === undefined ? this.#lease.session(deadline) : Promise.resolve(ahead.session);
  }

  #takeAhead(): CallAhead | undefined {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    return ahead;
  }

  /** Returns the statistics, or undefined once a domain blocks the call. The first check for this is after `firstWaitMs`. */
  async #callUntilBlocked(request: Attempt, firstWaitMs: number): Promise<DomainStats[] | undefined> {
    const { session, groups, deadline, checkMs, ahead } = request;
    const { calledMs } = timesOf(ahead, this.#clock);
    const call = ahead?.stats ?? this.#call(session, request, Number.POSITIVE_INFINITY);
    const answered = new Waker();
    const isAnswered = (): boolean => answered.aborted;
    const settled = call.then(
      (stats) => ({ stats }),
      (error: unknown) => ({ error }),
    );
    void settled.then(() => {
      answered.wake();
    });
    const track = (blockedBy: readonly string[]): void => {
      this.#track({ session, calledMs, groups, blockedBy }, call, checkMs);
    };
    let seen: Jobs = new Map();
    for (let waitMs = firstWaitMs; ; waitMs = checkMs / 2) {
      const leftMs = deadline - this.#clock.monotonic();
      if (leftMs <= 0 && !isAnswered()) {
        track([]);
        throw cycleTimeout();
      }
      await this.#clock.sleep(Math.min(waitMs, leftMs), answered);
      if (isAnswered()) {
        const outcome = await settled;
        if ("error" in outcome) throw outcome.error;
        return outcome.stats;
      }
      const before = seen;
      seen = await this.#jobs(request);
      const blockedBy = blockersAmong(seen, checkMs / 2, before);
      if (blockedBy.length > 0 && !isAnswered()) {
        track(blockedBy);
        return undefined;
      }
    }
  }

  /**
   * Makes one call for each domain that is known to be slow, and treats it as blocked from the start. In one call,
   * these domains together would take longer than the cycle.
   */
  async #callSlowDomains(
    slow: readonly DomainRef[],
    { groups, deadline, checkMs }: Pick<Attempt, "groups" | "deadline" | "checkMs">,
  ): Promise<void> {
    const free = Math.max(0, MAX_BLOCKED_CALLS - this.#blocked.calls.length);
    for (const domain of slow.filter(({ uuid }) => this.#blocked.blockedBy(uuid) === undefined).slice(0, free)) {
      const session = await this.#lease.session(deadline);
      const calledMs = this.#clock.monotonic();
      const call = this.#call(session, { only: [domain], groups }, Number.POSITIVE_INFINITY);
      this.#track({ session, calledMs, groups, blockedBy: [domain.uuid] }, call, checkMs);
    }
  }

  #track(blocked: BlockedCall, call: Promise<readonly DomainStats[]>, checkMs: number): void {
    this.#lease.abandon(blocked.session);
    void this.#blocked.track(blocked, call).then((answeredMs) => {
      if (answeredMs !== undefined && answeredMs < STUCK_MS)
        this.#times.recordBlockedReply(answeredMs, checkMs, blocked.blockedBy);
    });
  }

  /** If an earlier cycle abandoned a call without knowing the reason, looks for the domain that blocks it. */
  async #explainBlockedCall(request: Pick<Attempt, "domains" | "deadline" | "checkMs">): Promise<void> {
    const unexplained = this.#blocked.calls.find(isUnexplained);
    if (unexplained === undefined) return;
    const session = await this.#lease.session(request.deadline);
    unexplained.blockedBy = blockersAmong(await this.#jobs({ session, ...request }), request.checkMs / 2);
  }

  /**
   * Returns the UUIDs of the domains that blocked a call of this cycle and have answered it since. They are left out of
   * the next call, because it would wait for these slow QEMUs again.
   */
  async #answeredBefore(
    session: LibvirtClient,
    domains: readonly DomainRef[],
    deadline: number,
  ): Promise<ReadonlySet<string>> {
    const deadlineMs = Math.max(1, deadline - this.#clock.monotonic());
    const blockedBy = domains.filter(({ uuid }) => this.#blocked.blockersOfCycle.has(uuid));
    const busy = await jobsOf(session, blockedBy, deadlineMs);
    return new Set(blockedBy.flatMap(({ uuid }) => (busy.has(uuid) ? [] : [uuid])));
  }

  /** Returns the jobs of the domains that block no known call. */
  async #jobs({ session, domains, deadline, checkMs }: Omit<Attempt, keyof Request>): Promise<Jobs> {
    const unknown = domains.filter(({ uuid }) => this.#blocked.blockedBy(uuid) === undefined);
    return jobsOf(session, unknown, Math.max(checkMs, deadline - this.#clock.monotonic()));
  }
}

function isUnexplained({ blockedBy }: BlockedCall): boolean {
  return blockedBy.length === 0;
}
