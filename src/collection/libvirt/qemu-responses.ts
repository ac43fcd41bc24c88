import { domainKey, retainDomains } from "../../discovery/domain-name.ts";
import type { Clock } from "../../lib/clock.ts";
import { LibvirtError } from "../../libvirt/errors.ts";
import { CONTROL_ERROR, CONTROL_STATE } from "../../libvirt/protocol.ts";
import type { DomainControlInfo, DomainRef } from "../../libvirt/types.ts";
import type { UnansweredDomains } from "../source.ts";
import { STUCK_MS } from "./blocked-calls.ts";

/** A launcher or a domain is starting for this long after it was first seen. No answer is not a fault then. */
export const STARTING_MS = 60_000;

interface Entry {
  readonly firstSeenMs: number;
  /** The first call without an answer since QEMU's last answer, on the monotonic clock. */
  silentSinceMs: number | undefined;
  /** Why QEMU did not answer when it was last called; undefined if it answered. */
  reason: Reason | undefined;
}

type Reason = keyof UnansweredDomains;

/** The domains of a cycle that have no answer of QEMU. */
export interface WithoutAnswer {
  readonly unanswered: readonly DomainRef[];
  /** QEMU was not called for these, such as in a cycle without a family that needs it. */
  readonly notCalled: readonly DomainRef[];
}

/** Tracks how long the QEMU of each domain has not answered. Counts time, not cycles. */
export class QemuResponses {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Starts to track new domains of this list, and removes all that are not in it. */
  retain(domains: readonly DomainRef[]): void {
    retainDomains(this.#entries, domains);
    const firstSeenMs = this.#clock.monotonic();
    for (const domain of domains) {
      const run = domainKey(domain);
      if (!this.#entries.has(run)) this.#entries.set(run, { firstSeenMs, silentSinceMs: undefined, reason: undefined });
    }
  }

  isStarting(domain: DomainRef): boolean {
    const { firstSeenMs = Number.NEGATIVE_INFINITY } = this.#entries.get(domainKey(domain)) ?? {};
    return this.#clock.monotonic() - firstSeenMs < STARTING_MS;
  }

  recordAnswer(domain: DomainRef): void {
    const entry = this.#entries.get(domainKey(domain));
    if (entry === undefined) return;
    entry.silentSinceMs = undefined;
    entry.reason = undefined;
  }

  /** Records that a call made at `askedMs` (monotonic clock) has no answer. */
  recordSilence(domain: DomainRef, askedMs: number): void {
    const entry = this.#entries.get(domainKey(domain));
    if (entry !== undefined) entry.silentSinceMs ??= askedMs;
  }

  /**
   * Returns why each of these domains has not answered. `blockedSince` returns when the call that the domain blocks was
   * made. It is preferred to the first unanswered call, which QEMU may have answered after the deadline of its cycle. If
   * the QEMU of a domain was not called, the domain keeps its last reason.
   */
  async classify(
    { unanswered, notCalled }: WithoutAnswer,
    blockedSince: (domain: DomainRef) => number | undefined,
    control: (domain: DomainRef) => Promise<DomainControlInfo>,
  ): Promise<UnansweredDomains> {
    const names: Record<Reason, string[]> = { stuck: [], busy: [], slow: [] };
    const reasons = await Promise.all(
      unanswered.map(async (domain): Promise<Reason> => {
        const since = blockedSince(domain) ?? this.#entries.get(domainKey(domain))?.silentSinceMs;
        const lasts = since !== undefined && this.#clock.monotonic() - since >= STUCK_MS;
        return lasts && !this.isStarting(domain) ? reasonOf(control(domain)) : "slow";
      }),
    );
    for (const [index, reason] of reasons.entries()) {
      const domain = unanswered[index];
      if (domain === undefined) continue;
      names[reason].push(domain.name);
      const entry = this.#entries.get(domainKey(domain));
      if (entry !== undefined) entry.reason = reason;
    }
    for (const domain of notCalled) {
      const reason = this.#entries.get(domainKey(domain))?.reason;
      if (reason !== undefined) names[reason].push(domain.name);
    }
    return names;
  }
}

/** Returns whether a QEMU does not answer: a command waits for it for STUCK_MS, or its monitor has failed. */
export function isStuck({ state, details, stateTimeMs }: DomainControlInfo): boolean {
  if (state === CONTROL_STATE.OCCUPIED) return stateTimeMs >= STUCK_MS;
  return state === CONTROL_STATE.ERROR && details !== CONTROL_ERROR.INTERNAL;
}

/** Returns the reason for a domain that has not answered for STUCK_MS. */
async function reasonOf(control: Promise<DomainControlInfo>): Promise<Reason> {
  try {
    const info = await control;
    if (isStuck(info)) return "stuck";
    // If a command is recent, QEMU answers, but too late for the cycle. ERROR is a job that does not wait for QEMU.
    return info.state === CONTROL_STATE.JOB || info.state === CONTROL_STATE.ERROR ? "busy" : "slow";
  } catch (error) {
    // The domain is gone, or the daemon has failed, which the cycle reports.
    if (error instanceof LibvirtError) return "slow";
    throw error;
  }
}
