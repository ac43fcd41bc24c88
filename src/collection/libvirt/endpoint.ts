import type { LauncherBudget } from "../../budget.ts";
import type { DomainRef } from "../../libvirt/types.ts";
import type { SourceError } from "../source.ts";
import type { VmName } from "./domain-history.ts";

/** A libvirt daemon to collect from. */
export interface Endpoint {
  /** If there is a `fault`, the place of the fault. */
  readonly socket: string;
  /** Why the daemon cannot be called. Each cycle of the endpoint fails with this error. */
  readonly fault?: SourceError;
  /**
   * Returns the identity to report for a domain in this state; undefined if the domain is not collected here. `state` is a
   * virDomainState, and `reason` its reason if libvirt reported one. Labels and tags must be the same objects until they
   * change. Without this function all domains are collected, under their own names.
   * @throws {TelemetryError} if the domain must not be collected; the error is reported
   */
  readonly identify?: (domain: DomainRef, state: number, reason: number | undefined) => VmName | undefined;
  /** Called when no process listens on the socket. */
  readonly onUnreachable?: () => void;
  /** The daemon starts and stops with its guest, so a socket without a listener is not a failure. */
  readonly transient?: boolean;
  /** What the daemon may cost. Without it only the bounds of libvirt's protocol apply, as for a host's own daemon. */
  readonly budget?: LauncherBudget;
  /** The VM of the launcher, `namespace/name`, for messages. */
  readonly vm?: string;
}
