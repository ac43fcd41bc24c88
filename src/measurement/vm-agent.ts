import type { NodeMeasurement } from "./measurement.ts";

/** The agent itself: whether it keeps up, and whether its lines arrive. */
export const vmAgent: NodeMeasurement = {
  name: "vm_agent",
  family: "Agent",
  needs: [],
  write({ vms, agent }, fields) {
    fields.knownInteger("cycle_ms", agent.cycleMs);
    fields.knownInteger("cycles", agent.cycles);
    fields.knownInteger("skipped", agent.skippedTicks);
    fields.knownInteger("lines", agent.lines);
    fields.knownInteger("queued_lines", agent.queuedLines);
    fields.knownInteger("dropped_lines", agent.droppedLines);
    fields.knownInteger("rejected_lines", agent.rejectedLines);
    fields.knownInteger("stuck", vms?.stuck);
    fields.knownInteger("rss_kb", agent.rssKib);
    fields.knownInteger("cpu_ms", agent.cpuMs);
  },
};
