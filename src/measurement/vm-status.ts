import { isStuck } from "../collection/libvirt/qemu-responses.ts";
import { STATUS } from "../collection/libvirt/status.ts";
import { reasonName } from "../collection/state-reason.ts";
import { reading } from "../collection/stats-needs.ts";
import type { Measurement } from "./measurement.ts";

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

/** Returns undefined for a start in the future: the clocks of the node and the cluster differ. */
function uptime(startedS: number | undefined, nowMs: number): number | undefined {
  const seconds = startedS === undefined ? -1 : Math.floor(nowMs / 1000) - startedS;
  return seconds < 0 ? undefined : seconds;
}
