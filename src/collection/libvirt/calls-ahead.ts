import type { LibvirtClient } from "../../libvirt/client.ts";
import type { DomainRef } from "../../libvirt/types.ts";
import type { BasicInfoReader } from "./basic-info.ts";
import type { BulkStats } from "./bulk-stats.ts";

interface Expected {
  readonly session: LibvirtClient;
  readonly domain: DomainRef;
}

/**
 * Makes all calls of a launcher's cycle at once: the list, and what its domain of the last cycle needs. One write wakes the launcher
 * once instead of three times. If the list then shows another domain, the cycle makes its calls as always. A domain that was slow or
 * blocked a call is not called ahead.
 */
export class CallsAhead {
  readonly #infos: BasicInfoReader;
  readonly #bulk: BulkStats;
  #expected: Expected | undefined;

  constructor(infos: BasicInfoReader, bulk: BulkStats) {
    this.#infos = infos;
    this.#bulk = bulk;
  }

  /** Makes the calls, if the last cycle has shown what to expect. `groupsOf` returns the mask of the needed groups. */
  call(
    session: LibvirtClient,
    groupsOf: (domain: DomainRef) => number,
    times: { readonly deadlineMs: number; readonly checkMs: number },
  ): void {
    const expected = this.#expected;
    this.#expected = undefined;
    if (expected?.session !== session) return;
    const groups = groupsOf(expected.domain);
    if (groups === 0) return;
    this.#infos.callAhead(session, expected.domain, times.deadlineMs);
    this.#bulk.callAhead(session, expected.domain, groups, times.checkMs);
  }

  /** Takes the domains of a cycle whose list was in time. Those of a host's daemon are too many for the outstanding calls. */
  expect(session: LibvirtClient, [domain, ...others]: readonly DomainRef[]): void {
    const isSteady = others.length === 0 && this.#infos.needsNoCpuStats && this.#bulk.isQuick;
    this.#expected = domain !== undefined && isSteady ? { session, domain } : undefined;
  }
}
