import { domainKey } from "../../discovery/domain-name.ts";
import type { Clock } from "../../lib/clock.ts";
import { Waker } from "../../lib/waker.ts";
import type { LibvirtClient } from "../../libvirt/client.ts";
import { STATS_GROUP } from "../../libvirt/protocol.ts";
import type { DomainRef, DomainStats, TypedParameters } from "../../libvirt/types.ts";

/** What shows whether QEMU has answered, and is used of a late reply; not every cycle asks for both. */
export const LATE_GROUPS = STATS_GROUP.BLOCK | STATS_GROUP.BALLOON;

/** A QEMU that has not answered a call for this long is stuck; before that it is slow. */
export const STUCK_MS = 10_000;

/** A call for statistics that waits for a QEMU in the daemon, on a connection of its own. */
export interface BlockedCall {
  readonly session: LibvirtClient;
  /** When the call was made, on the monotonic clock. */
  readonly calledMs: number;
  /** The requested groups. */
  readonly groups: number;
  /** UUIDs of the domains that block the call; empty if unknown. */
  blockedBy: readonly string[];
}

/** The values of one domain that a blocked call returned. */
export interface LateReply {
  readonly params: TypedParameters;
  /** Whether the call was made in the current cycle. If not, only the values from QEMU are current. */
  readonly isOfCycle: boolean;
}

interface TrackedCall extends BlockedCall {
  readonly cycle: number;
  readonly returned: Promise<unknown>;
}

interface Reply {
  readonly call: TrackedCall;
  readonly stats: readonly DomainStats[];
}

/** The blocked calls, and the replies of those that returned in the current cycle. */
export class BlockedCalls {
  readonly #clock: Clock;
  readonly #release: (session: LibvirtClient) => void;
  readonly #calls = new Set<TrackedCall>();
  #replies: Reply[] = [];
  readonly #blockers = new Set<string>();
  #cycle = 0;
  /** The groups that a reply must have to be used in this cycle. */
  #groups = 0;

  /** `release` gets the connection of each call that has returned. */
  constructor(clock: Clock, release: (session: LibvirtClient) => void) {
    this.#clock = clock;
    this.#release = release;
  }

  get calls(): readonly BlockedCall[] {
    return [...this.#calls];
  }

  /** Drops replies that arrived before this cycle, because their values are too old for it. `groups` is what the cycle needs. */
  startCycle(groups: number): void {
    this.#cycle++;
    this.#groups = groups & LATE_GROUPS;
    this.dropReplies();
    this.#blockers.clear();
  }

  dropReplies(): void {
    this.#replies = [];
  }

  /** UUIDs of the domains that have blocked a call of this cycle, including calls that have returned. */
  get blockersOfCycle(): ReadonlySet<string> {
    return this.#blockers;
  }

  blockedBy(uuid: string): BlockedCall | undefined {
    return this.calls.find(({ blockedBy }) => blockedBy.includes(uuid));
  }

  /**
   * Tracks a call until it returns, then releases its connection. Resolves to the time the reply took in milliseconds, or
   * undefined if the call failed.
   */
  async track(call: BlockedCall, answer: Promise<readonly DomainStats[]>): Promise<number | undefined> {
    const { promise: returned, resolve } = Promise.withResolvers<undefined>();
    const tracked: TrackedCall = Object.assign(call, { cycle: this.#cycle, returned });
    this.#calls.add(tracked);
    if (this.#hasGroups(tracked)) for (const uuid of tracked.blockedBy) this.#blockers.add(uuid);
    try {
      const stats = await answer;
      this.#replies.push({ call: tracked, stats });
      return this.#clock.monotonic() - tracked.calledMs;
    } catch {
      // The connection is lost. The next call reports why.
      return undefined;
    } finally {
      this.#calls.delete(tracked);
      this.#release(tracked.session);
      resolve(undefined);
    }
  }

  /** Returns the blocked calls whose replies may be used for this domain. */
  usableFor({ uuid }: DomainRef): readonly BlockedCall[] {
    return [...this.#calls].filter((call) => this.#isUsable(call, uuid));
  }

  /** Returns the usable replies of this cycle for this domain. */
  repliesFor(domain: DomainRef): readonly LateReply[] {
    const run = domainKey(domain);
    return this.#replies.flatMap(({ call, stats }) => {
      if (!this.#isUsable(call, domain.uuid)) return [];
      const found = stats.find((record) => domainKey(record.domain) === run);
      return found === undefined ? [] : [{ params: found.params, isOfCycle: call.cycle === this.#cycle }];
    });
  }

  /** Waits until one of these calls returns. Resolves to false at the deadline, or when all of them are stuck. */
  async anyReturns(calls: readonly BlockedCall[], deadline: number): Promise<boolean> {
    const allStuckMs = Math.max(...calls.map(({ calledMs }) => calledMs)) + STUCK_MS;
    const waitMs = Math.min(deadline, allStuckMs) - this.#clock.monotonic();
    if (!(waitMs > 0)) return false;
    const waitedFor = new Set(calls);
    const returned = new Waker();
    for (const call of this.#calls) {
      if (!waitedFor.has(call)) continue;
      void call.returned.then(() => {
        returned.wake();
      });
    }
    await this.#clock.sleep(waitMs, returned);
    return returned.aborted;
  }

  /**
   * All values of a call of this cycle are newer than the cycle's timestamp. For an older call this is true only of QEMU's
   * values of the domains that block it, because it was still waiting for them in this cycle.
   */
  #isUsable(call: TrackedCall, uuid: string): boolean {
    return (call.cycle === this.#cycle || call.blockedBy.includes(uuid)) && this.#hasGroups(call);
  }

  #hasGroups({ groups }: BlockedCall): boolean {
    return (groups & this.#groups) === this.#groups;
  }
}
