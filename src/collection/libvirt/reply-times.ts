import type { DomainRef } from "../../libvirt/types.ts";

/** How long the statistics of one daemon take, measured from its replies. In milliseconds. */
export class ReplyTimes {
  /** Duration of the last call that no domain blocked. */
  #allMs = 0;
  /** UUID of a domain that has blocked a call -> for how long. */
  readonly #slow = new Map<string, number>();

  /** The expected duration of one call for all domains. */
  get expectedMs(): number {
    return Math.max(
      this.#allMs,
      [...this.#slow.values()].reduce((sum, ms) => sum + ms, 0),
    );
  }

  get hasSlow(): boolean {
    return this.#slow.size > 0;
  }

  /** Returns the known slow domains among these, the slowest first. Removes the domains that are not listed. */
  slowOf(domains: readonly DomainRef[]): readonly DomainRef[] {
    const slow = domains.filter(({ uuid }) => this.#slow.has(uuid));
    const uuids = new Set(slow.map(({ uuid }) => uuid));
    for (const uuid of this.#slow.keys()) if (!uuids.has(uuid)) this.#slow.delete(uuid);
    const ms = ({ uuid }: DomainRef): number => this.#slow.get(uuid) ?? 0;
    return slow.sort((one, other) => ms(other) - ms(one));
  }

  /** Records the reply to a call for these domains. If it took less than `checkMs`, none of them is slow any more. */
  recordReply(ms: number, checkMs: number, domains: readonly DomainRef[]): void {
    this.#allMs = ms;
    if (ms < checkMs) for (const { uuid } of domains) this.#slow.delete(uuid);
  }

  /** Records the reply to a call that these domains blocked. */
  recordBlockedReply(ms: number, checkMs: number, blockedBy: readonly string[]): void {
    if (blockedBy.length === 0) this.#allMs = ms;
    for (const uuid of blockedBy) {
      if (ms < checkMs) this.#slow.delete(uuid);
      else this.#slow.set(uuid, ms);
    }
  }
}
