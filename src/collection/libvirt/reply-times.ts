import type { DomainRef } from "../../libvirt/types.ts";

/** How long the statistics of one daemon take, learned from its answers; in milliseconds. */
export class ReplyTimes {
  /** Of the last call for all domains that no domain kept waiting. */
  #allMs = 0;
  /** UUIDs of the domains that have kept a call waiting -> how long. */
  readonly #slow = new Map<string, number>();

  /** How long one call for all domains will take. */
  get expectedMs(): number {
    return Math.max(
      this.#allMs,
      [...this.#slow.values()].reduce((sum, ms) => sum + ms, 0),
    );
  }

  /** Those of these domains that are known to be slow, the slowest first. Others are forgotten. */
  slowOf(domains: readonly DomainRef[]): readonly DomainRef[] {
    const slow = domains.filter(({ uuid }) => this.#slow.has(uuid));
    const uuids = new Set(slow.map(({ uuid }) => uuid));
    for (const uuid of this.#slow.keys()) if (!uuids.has(uuid)) this.#slow.delete(uuid);
    const ms = ({ uuid }: DomainRef): number => this.#slow.get(uuid) ?? 0;
    return slow.sort((one, other) => ms(other) - ms(one));
  }

  /** A call for all domains, or all but slow ones, was answered. No domain is slow that is part of a quick answer. */
  recordReply(ms: number, patienceMs: number, asked: readonly DomainRef[]): void {
    this.#allMs = ms;
    if (ms < patienceMs) for (const { uuid } of asked) this.#slow.delete(uuid);
  }

  /** A held call was answered that waited for these domains. */
  recordBlockedReply(ms: number, patienceMs: number, suspects: readonly string[]): void {
    if (suspects.length === 0) this.#allMs = ms;
    for (const uuid of suspects) {
      if (ms < patienceMs) this.#slow.delete(uuid);
      else this.#slow.set(uuid, ms);
    }
  }
}
