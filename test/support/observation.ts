import type { NodeObservation } from "../../src/status/node-report.ts";

/** Returns the observation of a healthy node. */
export function observation(change: Partial<NodeObservation> = {}): NodeObservation {
  return {
    agent: { version: "1.2.3", podUID: "agent-pod", startedMs: Date.UTC(2026, 0, 1) },
    config: { name: "default", uid: "u1", observedGeneration: 3 },
    selectedBy: ["default"],
    configFault: undefined,
    namesFault: undefined,
    libvirt: {
      versions: ["9.0.0"],
      endpoints: 2,
      domains: 2,
      answering: 2,
      failures: [],
      misbehavior: [],
      sampledLessOften: [],
    },
    targets: [
      { name: "main", state: "Delivering", sinceMs: Date.UTC(2026, 0, 1), reason: undefined, detail: undefined },
    ],
    bufferFault: undefined,
    ...change,
  };
}
