import { domainKey } from "../../discovery/domain-name.ts";
import type { Clock } from "../../lib/clock.ts";
import type { LibvirtClient } from "../../libvirt/client.ts";
import type { DomainRef, DomainStats } from "../../libvirt/types.ts";

export interface Request {
  /** The domains to call for. Never empty, which would mean all. */
  readonly only: readonly DomainRef[];
  readonly groups: number;
}

export interface Attempt extends Request {
  readonly session: LibvirtClient;
  readonly ahead?: CallAhead | undefined;
  readonly domains: readonly DomainRef[];
  readonly deadline: number;
  readonly checkMs: number;
}

/** A call for the statistics of one domain that was made before its cycle knew that it needs it. */
export interface CallAhead {
  readonly session: LibvirtClient;
  readonly domain: DomainRef;
  readonly groups: number;
  /** Time of the call, on the monotonic clock and on the wall clock. */
  readonly calledMs: number;
  readonly timestampMs: number;
  /** How long a cycle waits for the reply before it checks why it is missing. */
  readonly checkMs: number;
  readonly stats: Promise<DomainStats[]>;
}

/** Returns the call that `make` makes now. */
export function callAhead(
  about: Pick<CallAhead, "session" | "domain" | "groups" | "checkMs">,
  clock: Clock,
  make: () => CallAhead["stats"],
): CallAhead {
  const times = timesOf(undefined, clock);
  const stats = make();
  // The cycle may end without it.
  stats.catch(() => undefined);
  return { ...about, ...times, stats };
}

/** Returns whether a call is the one for these groups and domains. */
export function isCallFor(call: CallAhead, groups: number, [domain, ...others]: readonly DomainRef[]): boolean {
  const isSame = domain !== undefined && others.length === 0 && domainKey(call.domain) === domainKey(domain);
  return isSame && call.groups === groups && call.session.isOpen;
}

/** Returns the times of a call: of the one that was made ahead, or of one that is made now. */
export function timesOf(ahead: CallAhead | undefined, clock: Clock): Pick<CallAhead, "calledMs" | "timestampMs"> {
  return ahead ?? { calledMs: clock.monotonic(), timestampMs: clock.now() };
}
