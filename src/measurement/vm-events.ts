import { EVENTS } from "../collection/stats-needs.ts";
import type { ReportMeasurement } from "./measurement.ts";

/** What happened to a VM. The sum of `count` is the number of events, with those that were left out. */
export const vmEvents: ReportMeasurement = {
  name: "vm_events",
  family: "Events",
  needs: [EVENTS],
  write(report, lines) {
    if (!("kind" in report)) return;
    const { kind, detail, device, count } = report;
    lines.begin({ event: kind });
    if (detail !== undefined) lines.string("detail", detail);
    if (device !== undefined) lines.string("device", device);
    lines.integer("count", count);
    lines.end();
  },
};
