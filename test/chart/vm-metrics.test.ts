import assert from "node:assert/strict";
import { test } from "node:test";
import { chartObjects, only, podSpecOf, VALUES_FILES } from "../support/chart.ts";

test("with agent.vmMetrics a monitor also scrapes the agents' values of VMs, and keeps their labels", () => {
  for (const [name, kind, key] of [
    ["everything", "PodMonitor", "podMetricsEndpoints"],
    ["service-monitor", "ServiceMonitor", "endpoints"],
  ] as const) {
    const objects = chartObjects("--values", VALUES_FILES.get(name) ?? "");
    const [own, vms, ...others] = (only(objects, kind).spec as Record<string, readonly object[]>)[key] ?? [];
    assert.deepEqual(others, []);
    assert.ok(own !== undefined && !("path" in own) && !("honorLabels" in own), kind);
    assert.partialDeepStrictEqual(vms, { port: "metrics", path: "/metrics/vms", honorLabels: true });
    const [keep] = (vms as { readonly relabelings: readonly object[] }).relabelings;
    assert.partialDeepStrictEqual(keep, { regex: "agent", action: "keep" });
    const [{ env }] = podSpecOf(only(objects, "DaemonSet")).containers as unknown as [{ env: readonly object[] }];
    assert.partialDeepStrictEqual(env, [{ name: "KUBEVIRT_TELEMETRY_VM_METRICS", value: "true" }]);
  }
});
