import { LibvirtError } from "../../libvirt/errors.ts";
import type { LibvirtClient } from "../../libvirt/client.ts";
import type { DomainRef } from "../../libvirt/types.ts";
import type { Clock } from "../../lib/clock.ts";

/**
 * Whether a daemon is to be asked for CPU times from its cgroups. The first such call of a new daemon can take seconds, so
 * one is made by itself and without a deadline; until it returns, the times come from elsewhere.
 */
export class CpuStatsProbe {
  readonly #clock: Clock;
  #state: "new" | "tried" | "answered" | "none" = "new";

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether the calls can be made in this cycle; waits for the first answer of a daemon for `patienceMs` at most. */
  async isUsable(session: LibvirtClient, domains: readonly DomainRef[], patienceMs: number): Promise<boolean> {
    const [domain] = domains;
    if (this.#state === "new" && domain !== undefined) await this.#probe(session, domain, patienceMs);
    return this.#state === "answered";
  }

  /** The daemon has no cgroup to read CPU times from. */
  markUnavailable(): void {
    this.#state = "none";
  }

  /** Another daemon may answer next time. */
  reset(): void {
    this.#state = "new";
  }

  async #probe(session: LibvirtClient, domain: DomainRef, patienceMs: number): Promise<void> {
    this.#state = "tried";
    const returned = new AbortController();
    const answered = session.domainCpuStats(domain, { deadlineMs: Number.POSITIVE_INFINITY }).then(
      () => "answered" as const,
      // That it cannot tell of this domain is an answer, too.
      (error: unknown) => (error instanceof LibvirtError && error.code === "E_LIBVIRT_REMOTE" ? "answered" : "new"),
    );
    void answered.then((state) => {
      if (this.#state === "tried") this.#state = state;
      returned.abort();
    });
    await this.#clock.sleep(patienceMs, returned.signal);
  }
}
