import { domainKey, retainDomains } from "../../discovery/domain-name.ts";
import type { Clock } from "../../lib/clock.ts";
import { LibvirtError } from "../../libvirt/errors.ts";
import { CONTROL_ERROR, CONTROL_STATE } from "../../libvirt/protocol.ts";
import type { DomainControlInfo, DomainRef } from "../../libvirt/types.ts";
import type { UnansweredDomains } from "../source.ts";
import { STUCK_MS } from "./blocked-calls.ts";

/** A launcher or a domain that was first seen less than this ago is starting: that it does not answer is no fault. */
export const STARTING_MS = 60_000;

interface Entry {
  readonly firstSeenMs: number;
  /** When QEMU was first asked in vain since its last answer. */
  silentSinceMs: number | undefined;
}

type Reason = keyof UnansweredDomains;

/** For how long the QEMU of each domain has been silent, which is a time and not a number of cycles. */
export class QemuResponses {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** These are the domains that run; others are forgotten. */
  retain(domains: readonly DomainRef[]): void {
    retainDomains(this.#entries, domains);
    const firstSeenMs = this.#clock.monotonic();
    for (const domain of domains) {
      const run = domainKey(domain);
      if (!this.#entries.has(run)) this.#entries.set(run, { firstSeenMs, silentSinceMs: undefined });
    }
  }

  isStarting(domain: DomainRef): boolean {
    const { firstSeenMs = Number.NEGATIVE_INFINITY } = this.#entries.get(domainKey(domain)) ?? {};
    return this.#clock.monotonic() - firstSeenMs < STARTING_MS;
  }

  recordAnswer(domain: DomainRef): void {
    const entry = this.#entries.get(domainKey(domain));
    if (entry !== undefined) entry.silentSinceMs = undefined;
  }

  /** A cycle that asked at `askedMs` has no answer; on the monotonic clock. */
  recordSilence(domain: DomainRef, askedMs: number): void {
    const entry = this.#entries.get(domainKey(domain));
    if (entry !== undefined) entry.silentSinceMs ??= askedMs;
  }

  /**
   * Why each of these domains is silent. `heldSince` says since when a call of ours waits for one: not as long as it is
   * silent when QEMU has answered too late for a cycle meanwhile.
   */
  async classify(
    domains: readonly DomainRef[],
    heldSince: (domain: DomainRef) => number | undefined,
    control: (domain: DomainRef) => Promise<DomainControlInfo>,
  ): Promise<UnansweredDomains> {
    const reasons = await Promise.all(
      domains.map(async (domain): Promise<Reason> => {
        const since = heldSince(domain) ?? this.#entries.get(domainKey(domain))?.silentSinceMs;
        const lasts = since !== undefined && this.#clock.monotonic() - since >= STUCK_MS;
        return lasts && !this.isStarting(domain) ? reasonOf(control(domain)) : "slow";
      }),
    );
    const named = (reason: Reason): string[] =>
      domains.flatMap(({ name }, index) => (reasons[index] === reason ? [name] : []));
    return { stuck: named("stuck"), busy: named("busy"), slow: named("slow") };
  }
}

/** Of a domain that has been silent for long. */
async function reasonOf(control: Promise<DomainControlInfo>): Promise<Reason> {
  try {
    const { state, details, stateTimeMs } = await control;
    switch (state) {
      case CONTROL_STATE.JOB:
        return "busy";
      case CONTROL_STATE.OCCUPIED:
        // QEMU answers one command after the other, only not in time.
        return stateTimeMs >= STUCK_MS ? "stuck" : "slow";
      case CONTROL_STATE.ERROR:
        return details === CONTROL_ERROR.INTERNAL ? "busy" : "stuck";
      default:
        return "slow";
    }
  } catch (error) {
    // It has gone, or the daemon has its own trouble, which the cycle says.
    if (error instanceof LibvirtError) return "slow";
    throw error;
  }
}
