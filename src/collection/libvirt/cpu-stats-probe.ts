import { LibvirtError } from "../../libvirt/errors.ts";
import type { LibvirtClient } from "../../libvirt/client.ts";
import type { DomainRef } from "../../libvirt/types.ts";
import type { Clock } from "../../lib/clock.ts";
import { Waker } from "../../lib/waker.ts";

/**
 * Finds out whether a daemon can read CPU times from cgroups. The first such call to a new daemon can take seconds, so the
 * probe is a single call without a deadline; until it returns, the CPU times come from other calls.
 */
export class CpuStatsProbe {
  readonly #clock: Clock;
  #state: "new" | "probing" | "ready" | "unavailable" = "new";

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns whether the calls can be made in this cycle. Waits up to `waitMs` for the probe. */
  async isUsable(session: LibvirtClient, domains: readonly DomainRef[], waitMs: number): Promise<boolean> {
    const [domain] = domains;
    if (this.#state === "new" && domain !== undefined) await this.#probe(session, domain, waitMs);
    return this.#state === "ready";
  }

  get isUnavailable(): boolean {
    return this.#state === "unavailable";
  }

  /** Call this if the daemon has no cgroups to read CPU times from. */
  markUnavailable(): void {
    this.#state = "unavailable";
  }

  /** Probes again in the next cycle, because the next connection may be to another daemon. */
  reset(): void {
    this.#state = "new";
  }

  async #probe(session: LibvirtClient, domain: DomainRef, waitMs: number): Promise<void> {
    this.#state = "probing";
    const returned = new Waker();
    const probed = session.domainCpuStats(domain, { deadlineMs: Number.POSITIVE_INFINITY }).then(
      () => "ready" as const,
      // The daemon is ready even if it cannot read this domain.
      (error: unknown) => (error instanceof LibvirtError && error.code === "E_LIBVIRT_REMOTE" ? "ready" : "new"),
    );
    void probed.then((state) => {
      if (this.#state === "probing") this.#state = state;
      returned.wake();
    });
    await this.#clock.sleep(waitMs, returned);
  }
}
