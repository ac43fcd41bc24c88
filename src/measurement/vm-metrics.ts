import { stateName } from "../collection/domain-sample.ts";
import type { Measurement } from "./measurement.ts";

export const vmMetrics: Measurement = {
  name: "vm_metrics",
  family: "Metrics",
  needs: [],
  write({ state, cpu, memory }, lines) {
    lines.begin();
    lines.string("state", stateName(state));
    lines.integer("cpu_count", cpu.count);
    lines.integer("memory_max_kb", memory.maximum);
    lines.integer("memory_used_kb", memory.current);
    lines.integer("cputime_ns", cpu.time);
    lines.end();
  },
};
