import { STATS_GROUP } from "../../libvirt/protocol.ts";
import type { DomainControlInfo } from "../../libvirt/types.ts";
import type { StatsReader } from "../stats-needs.ts";
import { counter } from "./typed-values.ts";

export interface Status {
  /** The virDomainState in which libvirt gave the reason; undefined if the statistics are missing. */
  readonly state: number | undefined;
  /** The number of the reason in libvirt's enum for this state, such as virDomainPausedReason. */
  readonly reason: number | undefined;
  /** Undefined if the daemon rejects the call. */
  readonly control: DomainControlInfo | undefined;
  /** When the VM began to run, in seconds since the epoch; undefined if it is not known. */
  readonly startedS: number | undefined;
}

/** Why a domain is in its state, since when it runs, and whether its QEMU can be controlled. */
export const STATUS: StatsReader<Status, DomainControlInfo> = {
  groups: STATS_GROUP.STATE,
  ask: (session, domain, options) => session.domainControlInfo(domain, options),
  read({ report, answer, startedS }) {
    const number = (field: string): number | undefined => {
      const value = report && counter(report.params, field);
      return value === undefined ? undefined : Number(value);
    };
    return { state: number("state.state"), reason: number("state.reason"), control: answer, startedS };
  },
};
