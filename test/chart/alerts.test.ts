import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { parse, stringify } from "yaml";
import { promtool } from "../integration/support/promtool.ts";
import { chartObjects, only } from "../support/chart.ts";
import { anchorOf, docHeadings } from "../support/docs.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: Readonly<Record<string, string>>;
}
interface Rules {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
}

const DOCUMENTED = parse(readFileSync("docs/alerts.yaml", "utf8")) as Rules;

function rulesOf(...args: string[]): Rules {
  return only(chartObjects("--set", "prometheusRule.enabled=true", ...args), "PrometheusRule").spec as Rules;
}

function flat({ groups }: Rules): readonly Rule[] {
  return groups.flatMap(({ rules }) => rules);
}

test("the chart's rules are the documented ones, except for the links", () => {
  const bare = (rules: Rules): object =>
    rules.groups.map((group) => ({
      ...group,
      rules: group.rules.map(({ annotations, ...rule }) => ({ ...rule, summary: annotations["summary"] })),
    }));
  assert.deepEqual(bare(rulesOf()), bare(DOCUMENTED));
});

test("every alert links to its section of the runbook, for every base URL", () => {
  const anchors = docHeadings("docs/runbook.md").map(anchorOf);
  const base = "https://wiki.example.com/telemetry";
  for (const { alert, annotations } of flat(rulesOf("--set", `prometheusRule.runbookUrl=${base}`))) {
    const [page, anchor = ""] = (annotations["runbook_url"] ?? "").split("#");
    assert.equal(page, base, alert);
    assert.ok(anchors.includes(anchor), `${alert}: ${anchor}`);
    assert.equal(annotations["runbook"], undefined, alert);
  }
});

test("with the chart's monitor an agent that is down is found for every release name", () => {
  const down = (...args: string[]): string | undefined =>
    flat(rulesOf(...args)).find(({ alert }) => alert === "KubevirtTelemetryDown")?.expr;
  const named = ["--set", "podMonitor.enabled=true,fullnameOverride=vms", "--namespace", "watch"];
  assert.equal(down(...named), 'up{job="watch/vms"} == 0');
  const monitor = only(chartObjects("--set", "prometheusRule.enabled=true", ...named), "PodMonitor");
  assert.equal(`${monitor.metadata.namespace}/${monitor.metadata.name}`, "watch/vms");
  const elsewhere = [...named, "--set", "podMonitor.namespace=monitoring"];
  assert.equal(down(...elsewhere), 'up{job="monitoring/vms"} == 0');
  const services = ["--set", "serviceMonitor.enabled=true,fullnameOverride=vms", "--namespace", "watch"];
  assert.equal(down(...services), 'up{job=~"vms-(agent|controller)",namespace="watch"} == 0');
  for (const unknown of ["prometheusRule.enabled=true", "podMonitor.enabled=true,podMonitor.jobLabel=app"])
    assert.equal(down("--set", unknown), 'up{job=~".*kubevirt-telemetry.*"} == 0', unknown);
});

test("a node without an agent is found for every release name", () => {
  const missing = (...args: string[]): string | undefined =>
    flat(rulesOf(...args)).find(({ alert }) => alert === "KubevirtTelemetryAgentMissing")?.expr;
  assert.match(missing() ?? "", /\{daemonset="kubevirt-telemetry-agent"\}/);
  assert.match(missing("--set", "fullnameOverride=vms") ?? "", /\{daemonset="vms-agent"\}/);
});

test("Prometheus accepts the chart's rules", async (t) => {
  const file = path.join(await temporaryDirectory(t), "rules.yaml");
  await writeFile(file, stringify(rulesOf("--set", "podMonitor.enabled=true")));
  const { ok, output } = await promtool(["check", "rules", file]);
  assert.ok(ok, output);
});
