import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { VM_ALERTS } from "../../../scripts/generate/vm-alerts/rules.ts";
import { AGENT_METRICS } from "../../../src/observability/agent-routes.ts";
import { CONTROLLER_METRICS } from "../../../src/observability/controller-routes.ts";
import { NODE_REASONS } from "../../../src/status/node-telemetry.ts";

const PAGE = readFileSync("docs/runbook.md", "utf8");

interface Alerts {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string }[] }[];
}

const alerts = (parse(readFileSync("docs/alerts.yaml", "utf8")) as Alerts).groups
  .flatMap(({ rules }) => rules.map(({ alert }) => alert))
  .concat(VM_ALERTS.map(({ alert }) => alert));
/** Heading -> section. */
const sections = new Map(
  PAGE.split(/^## /m)
    .slice(1)
    .map((part) => [part.slice(0, part.indexOf("\n")), part]),
);

test("the sections of the runbook are the alerts, in their order", () => {
  assert.deepEqual([...sections.keys()], ["First steps", ...alerts]);
});

test("every section has an impact, a check and a remedy", () => {
  for (const alert of alerts) {
    const parts = [...(sections.get(alert) ?? "").matchAll(/^\*\*(\w+)\.\*\*/gm)].map(([, word]) => word);
    assert.deepEqual(parts, ["Impact", "Check", "Remedy"], alert);
  }
});

test("the metrics in its commands exist", () => {
  const names = [...AGENT_METRICS, ...CONTROLLER_METRICS].flatMap(({ metrics }) =>
    metrics.flatMap(({ name, type }) => (type === "histogram" ? [`${name}_sum`, `${name}_count`] : [name])),
  );
  const patterns = [...PAGE.matchAll(/:9090\/metrics \|\n +grep -E '([^']+)'/g)].map(([, pattern = ""]) => pattern);
  assert.notEqual(patterns.length, 0);
  for (const wanted of patterns.flatMap((pattern) => pattern.split("|")))
    assert.ok(names.includes(`kubevirt_telemetry_${wanted}`), wanted);
});

test("the reasons in it exist", () => {
  const named = PAGE.match(/`(?:Invalid|Secret|Target|Socket|Endpoint|Buffer|No|Disk)[A-Z]\w+`/g) ?? [];
  assert.notEqual(named.length, 0);
  for (const reason of named.map((one) => one.slice(1, -1))) assert.ok(reason in NODE_REASONS, reason);
});
