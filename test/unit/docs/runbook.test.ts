import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { AGENT_METRICS } from "../../../src/observability/agent-metrics.ts";
import { CONTROLLER_METRICS } from "../../../src/observability/controller-metrics.ts";
import { NODE_REASONS } from "../../../src/status/node-telemetry.ts";

const PAGE = readFileSync("docs/runbook.md", "utf8");

interface Alerts {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string }[] }[];
}

const alerts = (parse(readFileSync("docs/alerts.yaml", "utf8")) as Alerts).groups.flatMap(({ rules }) =>
  rules.map(({ alert }) => alert),
);
/** Heading -> what stands below it. */
const sections = new Map(
  PAGE.split(/^## /m)
    .slice(1)
    .map((part) => [part.slice(0, part.indexOf("\n")), part]),
);

test("every alert has a section of its name, in their order, and there is none without an alert", () => {
  assert.deepEqual([...sections.keys()], ["First steps", ...alerts]);
});

test("every section says what the alert means for whom, how to look, and what to do", () => {
  for (const alert of alerts) {
    const said = [...(sections.get(alert) ?? "").matchAll(/^\*\*(\w+)\.\*\*/gm)].map(([, word]) => word);
    assert.deepEqual(said, ["Impact", "Check", "Remedy"], alert);
  }
});

test("the metrics that its commands look for are exposed", () => {
  const names = [...AGENT_METRICS, ...CONTROLLER_METRICS].flatMap(({ metrics }) =>
    metrics.flatMap(({ name, type }) => (type === "histogram" ? [`${name}_sum`, `${name}_count`] : [name])),
  );
  const patterns = [...PAGE.matchAll(/\/proxy\/metrics" \|\n +grep -E '([^']+)'/g)].map(([, pattern = ""]) => pattern);
  assert.notEqual(patterns.length, 0);
  for (const wanted of patterns.flatMap((pattern) => pattern.split("|")))
    assert.ok(names.includes(`kubevirt_telemetry_${wanted}`), wanted);
});

test("the reasons that it names are those that are reported", () => {
  const named = PAGE.match(/`(?:Invalid|Secret|Target|Socket|Endpoint|Buffer|No|Disk)[A-Z]\w+`/g) ?? [];
  assert.notEqual(named.length, 0);
  for (const reason of named.map((one) => one.slice(1, -1))) assert.ok(reason in NODE_REASONS, reason);
});
