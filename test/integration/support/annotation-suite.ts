import assert from "node:assert/strict";
import { test } from "node:test";
import { CHART } from "../../../scripts/helm.ts";
import type { DashboardData } from "./dashboard-data.ts";
import type { AnswerRow, LanguageId, Server } from "./dashboard-servers.ts";
import { askedBy, interpolate, readDashboard, type Choices } from "./grafana.ts";

const ALL: Choices = { prefix: "", bucket: "telemetry", db: ".*", namespace: ".*", node: ".*" };

/** Dashboard -> choices, and the VMs with an event and with a migration. */
const CASES: Readonly<Record<string, { readonly choices: Choices; readonly events: readonly string[] }>> = {
  node: { choices: { ...ALL, node: "node-1" }, events: ["web.1"] },
  vm: { choices: { ...ALL, namespace: "shop", vm: "web.1" }, events: ["web.1"] },
  fleet: { choices: ALL, events: ["cache", "web.1"] },
};

/** InfluxQL returns the columns that the annotation names, the other languages those that Grafana looks for. */
function partsOf(row: AnswerRow): readonly unknown[] {
  const text = row["text"] ?? [row["event"], row["detail"]].filter(Boolean).join(": ");
  return [row["tags"] ?? row["name"], text];
}

/** Runs the queries of the annotations on a server with the events of `rareLines`. */
export function annotationSuite(
  name: string,
  language: LanguageId,
  filled: () => { readonly server: Server; readonly data: DashboardData },
): void {
  for (const [subject, { choices, events }] of Object.entries(CASES))
    test(`${name}: the annotations of the ${subject} dashboard are the events of its VMs`, async () => {
      const { list } = readDashboard(`${CHART}/dashboards/${language}/${subject}.json`).annotations;
      const found: Record<string, readonly unknown[]> = {};
      for (const { name: title, enable, target } of list) {
        assert.equal(enable, false, title);
        const rows = await filled().server.ask(interpolate(askedBy(target), choices), filled().data.shown);
        for (const row of rows) assert.ok(row["time"] !== undefined, JSON.stringify(row));
        found[title] = rows.map(partsOf).sort();
      }
      // VictoriaMetrics has no details: they are texts.
      const text = (event: string, detail: string): string => (language === "promql" ? event : `${event}: ${detail}`);
      const texts: Readonly<Record<string, string>> = {
        cache: text("lifecycle", "stopped-crashed"),
        "web.1": text("io-error", "paused-enospc"),
      };
      assert.deepEqual(found, {
        Events: events.map((vm) => [vm, texts[vm]]),
        Migrations: [["web.1", text("migration", "succeeded")]],
      });
    });
}
