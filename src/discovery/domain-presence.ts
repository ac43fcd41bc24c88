import { DOMAIN_STATE } from "../libvirt/protocol.ts";

/** virDomainPausedReason: paused because the guest runs, or soon will run, on the other side of a live migration. */
const HANDED_OVER: readonly number[] = [2, 12];

/**
 * Returns whether the guest is on this host: `yes` while it runs here, `no` if it is on the other side of a live migration,
 * `either` if the state is possible on both sides. `reason` is undefined if libvirt does not report one.
 */
export function presenceOf(state: number, reason: number | undefined): "yes" | "no" | "either" {
  if (state === DOMAIN_STATE.RUNNING || state === DOMAIN_STATE.BLOCKED) return "yes";
  return state === DOMAIN_STATE.PAUSED && reason !== undefined && HANDED_OVER.includes(reason) ? "no" : "either";
}
