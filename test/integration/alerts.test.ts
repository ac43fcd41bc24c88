import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { AGENT_METRICS } from "../../src/observability/agent-routes.ts";
import { CONTROLLER_METRICS } from "../../src/observability/controller-routes.ts";
import type { MetricGroup } from "../../src/observability/metric.ts";
import { anchorOf, docHeadings } from "../support/docs.ts";
import { promtool } from "./support/promtool.ts";

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook: string };
}

const RULES = (
  parse(readFileSync("docs/alerts.yaml", "utf8")) as { readonly groups: readonly { readonly rules: readonly Rule[] }[] }
).groups.flatMap(({ rules }) => rules);

test("Prometheus accepts the rules, and each alert fires in its cases only", async () => {
  for (const args of [
    ["check", "rules", "docs/alerts.yaml"],
    ["test", "rules", "test/integration/alerts/cases.yaml"],
  ]) {
    const { ok, output } = await promtool(args);
    assert.ok(ok, output);
  }
});

test("every alert has a case", () => {
  const cases = readFileSync("test/integration/alerts/cases.yaml", "utf8");
  for (const { alert } of RULES) assert.ok(cases.includes(`alertname="${alert}"`), alert);
});

test("the metrics of the rules exist", () => {
  const names = [AGENT_METRICS, CONTROLLER_METRICS].flatMap((groups: readonly MetricGroup<never>[]) =>
    groups.flatMap(({ metrics }) =>
      metrics.flatMap(({ name, type }) =>
        type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : name,
      ),
    ),
  );
  const used = RULES.flatMap(({ expr }) =>
    [...expr.matchAll(/\b(?:kubevirt_telemetry|process)_\w+/g)].map(([name]) => name),
  );
  assert.ok(used.length > RULES.length - 2);
  for (const name of used) assert.ok(names.includes(name), name);
});

test("every alert links to an existing section", () => {
  const anchors = docHeadings("docs/troubleshooting.md").map(anchorOf);
  for (const { alert, annotations, labels } of RULES) {
    const [file, anchor = ""] = annotations.runbook.split("#");
    assert.equal(file, "troubleshooting.md", alert);
    assert.ok(anchors.includes(anchor), `${alert}: ${anchor}`);
    assert.ok(["warning", "critical"].includes(labels.severity), alert);
  }
});

test("Prometheus accepts the metrics of an agent", async () => {
  const exposed = readFileSync("test/golden/observability/agent.prom", "utf8");
  assert.deepEqual(await promtool(["check", "metrics"], exposed), { ok: true, output: "" });
});
