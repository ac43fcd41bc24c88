import type { Measurement } from "./measurement.ts";

/** Growth of the guest's memory, as a rate and as the angle of its slope. Written only from two measured values. */
export const vmFeatures: Measurement = {
  name: "vm_features",
  family: "Features",
  needs: [],
  write({ memory, previous }, lines) {
    if (memory.current === undefined || previous === undefined) return;
    const seconds = (memory.monotonicMs - previous.monotonicMs) / 1000;
    if (seconds <= 0) return;
    const rate = Number(memory.current - previous.current) / seconds;
    lines.begin();
    lines.float("memory_rate_kb_per_sec", rate);
    // The predecessor added this epsilon, and old queries compare with its values.
    lines.float("memory_angle_deg", (Math.atan(rate + 1e-12) * 180) / Math.PI);
    lines.end();
  },
};
