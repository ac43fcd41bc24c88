import type { Measurement } from "./measurement.ts";

/** virDomainState, in the words of the predecessor. */
const STATES = ["no state", "running", "blocked", "paused", "shutdown", "shutoff", "crashed", "suspended"];

export const vmMetrics: Measurement = {
  name: "vm_metrics",
  family: "Metrics",
  write({ state, cpu, memory }, lines) {
    lines.begin();
    lines.string("state", STATES[state ?? 0] ?? "no state");
    lines.integer("cpu_count", cpu.count);
    lines.integer("memory_max_kb", memory.maximum);
    lines.integer("memory_used_kb", memory.current);
    lines.integer("cputime_ns", cpu.time);
    lines.end();
  },
};
