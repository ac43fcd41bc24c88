import { domainKey } from "../../discovery/domain-name.ts";
import type { Clock } from "../../lib/clock.ts";
import type { LibvirtClient } from "../../libvirt/client.ts";
import type { DomainRef, DomainStats, TypedParameters } from "../../libvirt/types.ts";

/** A QEMU that leaves a call unanswered for this long is stuck; until then it is slow. */
export const STUCK_MS = 10_000;

/** A call for statistics that waits in the daemon for a QEMU, on a connection of its own. */
export interface HeldCall {
  readonly session: LibvirtClient;
  /** When it was made, on the monotonic clock. */
  readonly askedMs: number;
  /** UUIDs of the domains that it waits for; empty while that is not known. */
  suspects: readonly string[];
}

/** What a held call says of a domain. */
export interface LateAnswer {
  readonly params: TypedParameters;
  /** Whether the call was made in the cycle. Otherwise its values are old, but for those that QEMU has given since. */
  readonly isOfCycle: boolean;
}

interface Held extends HeldCall {
  readonly cycle: number;
  readonly returned: Promise<unknown>;
}

interface Answer {
  readonly call: Held;
  readonly stats: readonly DomainStats[];
}

/** The calls that QEMUs keep waiting, and what those that have returned in this cycle brought. */
export class HeldCalls {
  readonly #clock: Clock;
  readonly #calls = new Set<Held>();
  #answers: Answer[] = [];
  readonly #suspects = new Set<string>();
  #cycle = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get calls(): readonly HeldCall[] {
    return [...this.#calls];
  }

  /** Answers that came between two cycles are older than the values of the next. */
  startCycle(): void {
    this.#cycle++;
    this.#answers = [];
    this.#suspects.clear();
  }

  /** UUIDs of the domains that calls of this cycle wait for, or did before they returned. */
  get suspectsOfCycle(): ReadonlySet<string> {
    return this.#suspects;
  }

  waitingFor(uuid: string): HeldCall | undefined {
    return this.calls.find(({ suspects }) => suspects.includes(uuid));
  }

  /** Keeps a call until it returns, and closes its connection then. Resolves to how long its answer took, if one came. */
  async hold(call: HeldCall, answer: Promise<readonly DomainStats[]>): Promise<number | undefined> {
    const { promise: returned, resolve } = Promise.withResolvers<undefined>();
    const held: Held = Object.assign(call, { cycle: this.#cycle, returned });
    this.#calls.add(held);
    for (const uuid of held.suspects) this.#suspects.add(uuid);
    try {
      const stats = await answer;
      this.#answers.push({ call: held, stats });
      return this.#clock.monotonic() - held.askedMs;
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
  callsFor({ uuid }: DomainRef): readonly HeldCall[] {
    return [...this.#calls].filter((call) => this.#isUsable(call, uuid));
  }

  /** What those of them that have returned in this cycle say of it. */
  answersOf(domain: DomainRef): readonly LateAnswer[] {
    const run = domainKey(domain);
    return this.#answers.flatMap(({ call, stats }) => {
      if (!this.#isUsable(call, domain.uuid)) return [];
      const found = stats.find((record) => domainKey(record.domain) === run);
      return found === undefined ? [] : [{ params: found.params, isOfCycle: call.cycle === this.#cycle }];
    });
  }

  /** Waits until one of these returns; false at the deadline, or when all of them are stuck. */
  async oneReturns(calls: readonly HeldCall[], deadline: number): Promise<boolean> {
    const lastHope = Math.max(...calls.map(({ askedMs }) => askedMs)) + STUCK_MS;
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
  #isUsable({ cycle, suspects }: Held, uuid: string): boolean {
    return cycle === this.#cycle || suspects.includes(uuid);
  }
}
