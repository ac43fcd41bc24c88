import { isStuck } from "../collection/libvirt/qemu-responses.ts";
import { STATUS } from "../collection/libvirt/status.ts";
import { reading } from "../collection/stats-needs.ts";
import type { Measurement } from "./measurement.ts";

/** Words of libvirt-domain.h for the reasons of each virDomainState, by number. */
const REASONS: readonly (readonly string[])[] = [
  ["unknown"],
  [
    ...["unknown", "booted", "migrated", "restored", "from-snapshot", "unpaused", "migration-canceled"],
    ...["save-canceled", "wakeup", "crashed", "post-copy", "post-copy-failed"],
  ],
  ["unknown"],
  [
    ...["unknown", "user", "migration", "save", "dump", "io-error", "watchdog", "from-snapshot", "shutting-down"],
    ...["snapshot", "crashed", "starting-up", "post-copy", "post-copy-failed", "api-error"],
  ],
  ["unknown", "user"],
  ["unknown", "shutdown", "destroyed", "crashed", "migrated", "saved", "failed", "from-snapshot", "daemon"],
  ["unknown", "panicked"],
  ["unknown"],
];
/** Words for CONTROL_STATE. */
const CONTROLS = ["ok", "job", "occupied", "error"];

/** Why a VM is in its state, how long it runs, and whether its QEMU answers. */
export const vmStatus: Measurement = {
  name: "vm_status",
  family: "Status",
  needs: [STATUS],
  write(sample, lines) {
    const status = reading(sample, STATUS);
    if (status === undefined) return;
    const { state, reason, control, startedS } = status;
    lines.begin();
    if (state !== undefined && reason !== undefined) lines.string("reason", reasonName(state, reason));
    lines.knownInteger("reason_code", reason);
    if (control !== undefined) lines.knownInteger("stuck", isStuck(control) ? 1 : 0);
    lines.knownInteger("started_s", startedS);
    lines.knownInteger("uptime_s", uptime(startedS, sample.timestampMs));
    if (control !== undefined) {
      lines.string("control", CONTROLS[control.state] ?? "unknown");
      lines.knownInteger("control_ms", control.stateTimeMs);
    }
    lines.end();
  },
};

/** Returns libvirt's word for the reason of a state. */
export function reasonName(state: number, reason: number): string {
  return REASONS[state]?.[reason] ?? "unknown";
}

/** Returns undefined for a start in the future: the clocks of the node and the cluster differ. */
function uptime(startedS: number | undefined, nowMs: number): number | undefined {
  const seconds = startedS === undefined ? -1 : Math.floor(nowMs / 1000) - startedS;
  return seconds < 0 ? undefined : seconds;
}
