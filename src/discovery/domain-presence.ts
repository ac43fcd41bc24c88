import { DOMAIN_STATE } from "../libvirt/protocol.ts";

/** virDomainPausedReason: paused because the other side of a live migration has, or is about to have, the guest. */
const HANDED_OVER: readonly number[] = [2, 12];

/**
 * Whether this libvirt daemon has the guest: `yes` while it runs, `no` when the other side of a live migration has it,
 * `either` when the state does not tell the two sides apart. `reason` is undefined when libvirt did not give one.
 */
export function presenceOf(state: number, reason: number | undefined): "yes" | "no" | "either" {
  if (state === DOMAIN_STATE.RUNNING || state === DOMAIN_STATE.BLOCKED) return "yes";
  return state === DOMAIN_STATE.PAUSED && reason !== undefined && HANDED_OVER.includes(reason) ? "no" : "either";
}
