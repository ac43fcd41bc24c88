import { counter } from "../collection/libvirt/typed-values.ts";
import { JOBS } from "../collection/stats-needs.ts";
import type { ReportMeasurement } from "./measurement.ts";

/** Field -> libvirt's name of the value. */
const FIELDS = [
  ["elapsed_ms", "time_elapsed"],
  ["remaining_ms", "time_remaining"],
  ["downtime_ms", "downtime"],
  ["setup_ms", "setup_time"],
  ["data_total_bytes", "data_total"],
  ["data_processed_bytes", "data_processed"],
  ["data_remaining_bytes", "data_remaining"],
  ["memory_bytes_per_sec", "memory_bps"],
  ["dirty_pages_per_sec", "memory_dirty_rate"],
  ["iteration", "memory_iteration"],
  ["throttle_percent", "auto_converge_throttle"],
] as const;

/** The progress of a job of a VM, such as a live migration. At its end one line has `success`. */
export const vmJobs: ReportMeasurement = {
  name: "vm_jobs",
  family: "Jobs",
  needs: [JOBS],
  write(report, lines) {
    if (!("operation" in report)) return;
    const { operation, params, success } = report;
    lines.begin({ operation });
    for (const [field, name] of FIELDS) lines.knownInteger(field, counter(params, name));
    if (success !== undefined) lines.knownInteger("success", success ? 1 : 0);
    lines.end();
  },
};
