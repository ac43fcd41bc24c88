import { domainKey } from "../../discovery/domain-name.ts";
import type { Clock } from "../../lib/clock.ts";
import type { LibvirtClient } from "../../libvirt/client.ts";
import type { DomainRef, DomainStats, TypedParameters } from "../../libvirt/types.ts";

/** A QEMU that leaves a call unanswered for this long is stuck; until then it is slow. */
export const STUCK_MS = 10_000;

/** A call for statistics that waits in the daemon for a QEMU, on a connection of its own. */
export interface BlockedCall {
  readonly session: LibvirtClient;
  /** When it was made, on the monotonic clock. */
  readonly calledMs: number;
  /** UUIDs of the domains that it waits for; empty while that is not known. */
  blockedBy: readonly string[];
}

/** What a held call says of a domain. */
export interface LateReply {
  readonly params: TypedParameters;
  /** Whether the call was made in the cycle. Otherwise its values are old, but for those that QEMU has given since. */
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

/** The calls that QEMUs keep waiting, and what those that have returned in this cycle brought. */
export class BlockedCalls {
  readonly #clock: Clock;
  readonly #calls = new Set<TrackedCall>();
  #replies: Reply[] = [];
  readonly #blockers = new Set<string>();
  #cycle = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get calls(): readonly BlockedCall[] {
    return [...this.#calls];
  }

  /** Answers that came between two cycles are older than the values of the next. */
  startCycle(): void {
    this.#cycle++;
    this.#replies = [];
    this.#blockers.clear();
  }

  /** UUIDs of the domains that calls of this cycle wait for, or did before they returned. */
  get blockersOfCycle(): ReadonlySet<string> {
    return this.#blockers;
  }

  blockedBy(uuid: string): BlockedCall | undefined {
    return this.calls.find(({ blockedBy: suspects }) => suspects.includes(uuid));
  }

  /** Keeps a call until it returns, and closes its connection then. Resolves to how long its answer took, if one came. */
  async track(call: BlockedCall, answer: Promise<readonly DomainStats[]>): Promise<number | undefined> {
    const { promise: returned, resolve } = Promise.withResolvers<undefined>();
    const held: TrackedCall = Object.assign(call, { cycle: this.#cycle, returned });
    this.#calls.add(held);
    for (const uuid of held.blockedBy) this.#blockers.add(uuid);
    try {
      const stats = await answer;
      this.#replies.push({ call: held, stats });
      return this.#clock.monotonic() - held.calledMs;
    } catch {
      // The connection is lost, with the daemon as a rule: the next call says so.
      return undefined;
    } finally {
      this.#calls.delete(held);
      held.session.close();
      resolve(undefined);
    }
  }

  /** The held calls whose answers may be used for a domain. */
  usableFor({ uuid }: DomainRef): readonly BlockedCall[] {
    return [...this.#calls].filter((call) => this.#isUsable(call, uuid));
  }

  /** What those of them that have returned in this cycle say of it. */
  repliesFor(domain: DomainRef): readonly LateReply[] {
    const run = domainKey(domain);
    return this.#replies.flatMap(({ call, stats }) => {
      if (!this.#isUsable(call, domain.uuid)) return [];
      const found = stats.find((record) => domainKey(record.domain) === run);
      return found === undefined ? [] : [{ params: found.params, isOfCycle: call.cycle === this.#cycle }];
    });
  }

  /** Waits until one of these returns; false at the deadline, or when all of them are stuck. */
  async anyReturns(calls: readonly BlockedCall[], deadline: number): Promise<boolean> {
    const lastHope = Math.max(...calls.map(({ calledMs: askedMs }) => askedMs)) + STUCK_MS;
    const waitMs = Math.min(deadline, lastHope) - this.#clock.monotonic();
    if (!(waitMs > 0)) return false;
    const awaited = new Set(calls);
    const returned = new AbortController();
    for (const call of this.#calls) {
      if (!awaited.has(call)) continue;
      void call.returned.then(() => {
        returned.abort();
      });
    }
    await this.#clock.sleep(waitMs, returned.signal);
    return returned.signal.aborted;
  }

  /**
   * A call of this cycle has all its values from after the cycle's timestamp. Of a call of an earlier cycle that is true
   * only for QEMU's values of the domains that it waited for: this cycle's own call found it still waiting.
   */
  #isUsable({ cycle, blockedBy: suspects }: TrackedCall, uuid: string): boolean {
    return cycle === this.#cycle || suspects.includes(uuid);
  }
}
