import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { AGENT_METRICS } from "../../../src/observability/agent-routes.ts";
import { CONTROLLER_METRICS } from "../../../src/observability/controller-routes.ts";
import { formatMetrics, type Metric, type MetricGroup } from "../../../src/observability/metric.ts";
import { agentView, troubledView } from "../../support/agent-view.ts";
import { controllerView } from "../../support/controller-view.ts";

const METRICS: readonly Metric<never>[] = [AGENT_METRICS, CONTROLLER_METRICS].flatMap(
  (groups: readonly MetricGroup<never>[]) => groups.flatMap(({ metrics }) => metrics),
);
const NAMES = new Set(METRICS.map(({ name }) => name));

/** Returns the metric names in a text of Prometheus' format. */
function exposedNames(text: string): ReadonlySet<string> {
  return new Set([...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name = ""]) => name));
}

const { libvirt } = agentView();
const fault = { code: "E_PODS_DIR", message: "the pods directory cannot be read" };
const AGENT = formatMetrics(
  AGENT_METRICS,
  agentView({ config: troubledView().config, libvirt: { ...libvirt, fault } }),
);
const CONTROLLER = formatMetrics(CONTROLLER_METRICS, controllerView());

test("the metrics of an agent equal the recorded text", () => {
  assert.equal(AGENT, readFileSync("test/golden/observability/agent.prom", "utf8"));
});

test("a controller exposes the nodes of each TelemetryConfig by state", () => {
  assert.match(CONTROLLER, /^kubevirt_telemetry_controller_leading 1$/m);
  const nodes = CONTROLLER.match(/^kubevirt_telemetry_controller_config_nodes\{.*$/gm);
  assert.deepEqual(nodes, [
    'kubevirt_telemetry_controller_config_nodes{config="default",state="selected"} 5',
    'kubevirt_telemetry_controller_config_nodes{config="default",state="governed"} 4',
    'kubevirt_telemetry_controller_config_nodes{config="default",state="ready"} 2',
    'kubevirt_telemetry_controller_config_nodes{config="default",state="degraded"} 1',
    'kubevirt_telemetry_controller_config_nodes{config="default",state="stale"} 1',
  ]);
});

test("exactly the metrics of the tables are exposed", () => {
  assert.deepEqual([...exposedNames(AGENT).union(exposedNames(CONTROLLER))].sort(), [...NAMES].sort());
});

test("docs/metrics.md lists exactly the metrics of the tables", () => {
  const documented = readFileSync("docs/metrics.md", "utf8").matchAll(/^\| `([a-z_]+)`/gm);
  assert.deepEqual(new Set([...documented].map(([, name]) => name)), NAMES);
});

test("metric names follow the rules of Prometheus", () => {
  for (const { name, type, labels = [], help } of METRICS) {
    assert.match(name, /^(kubevirt_telemetry|process|nodejs)_[a-z0-9]+(_[a-z0-9]+)*$/);
    assert.equal(name.endsWith("_total"), type === "counter", name);
    for (const label of labels) assert.match(label, /^[a-z]+(_[a-z]+)*$/, name);
    assert.ok(help !== "" && !help.endsWith("."), name);
  }
});

test("agents and controllers use one help text for each metric name", () => {
  const helps = Map.groupBy(METRICS, ({ name }) => name);
  for (const [name, metrics] of helps) assert.equal(new Set(metrics.map(({ help }) => help)).size, 1, name);
});
