import type { Measurement } from "./measurement.ts";

/** How fast the guest's memory grows, as a rate and as the angle of its slope. Never written from an invented value. */
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
    // The predecessor added the epsilon; old queries compare with what it gave.
    lines.float("memory_angle_deg", (Math.atan(rate + 1e-12) * 180) / Math.PI);
    lines.end();
  },
};
