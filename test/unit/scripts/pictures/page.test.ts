import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { test } from "node:test";
import { answer, type AnsweredDashboard } from "../../../../scripts/pictures/answers.ts";
import { dashboardPage } from "../../../../scripts/pictures/page.ts";
import { CHART } from "../../../../scripts/helm.ts";
import type { AnswerRow, Server } from "../../../integration/support/dashboard-servers.ts";
import { panelsOf, readDashboard, type GrafanaDashboard } from "../../../integration/support/grafana.ts";

const SHOWN = { fromMs: Date.UTC(2026, 0, 1), toMs: Date.UTC(2026, 0, 1, 1) - 1, intervalS: 600 };
const CHOICES = { prefix: "", top: "5", node: "node-a", namespace: "shop", vm: "web" };

/** Returns two points for each query. */
const points = (tags: AnswerRow = {}): Server => ({
  ask: () =>
    Promise.resolve([
      { ...tags, time: SHOWN.fromMs, value: 1 },
      { ...tags, time: SHOWN.fromMs + 600_000, value: 3 },
    ]),
});

function answered(dashboard: GrafanaDashboard, server: Server): Promise<AnsweredDashboard> {
  return answer(dashboard, CHOICES, SHOWN, server);
}

/** Returns a dashboard with one panel, which has a query. */
function dashboardOf(panel: object, alias = "$tag_name"): GrafanaDashboard {
  const defaults = { unit: "none", min: 0, thresholds: { steps: [{ color: "blue", value: null }] }, custom: {} };
  const gridPos = { x: 0, y: 1, w: 8, h: 8 };
  return {
    uid: "u",
    title: "A dashboard",
    annotations: { list: [] },
    templating: { list: [] },
    panels: [
      { id: 1, type: "row", title: "A row", gridPos: { ...gridPos, y: 0 } },
      {
        id: 2,
        title: "A panel",
        gridPos,
        type: "timeseries",
        targets: [{ refId: "A", query: "SELECT", alias }],
        fieldConfig: { defaults, overrides: [] },
        options: { legend: { calcs: ["mean", "max", "lastNotNull"] } },
        ...panel,
      },
    ],
  };
}

const FILES = [...globSync(`${CHART}/dashboards/influxql/*.json`), `${CHART}/dashboards/agent.json`].sort();

for (const file of FILES)
  test(`each panel of ${file.slice(CHART.length + 1)} is drawn`, async () => {
    const dashboard = readDashboard(file);
    const page = dashboardPage([await answered(dashboard, points())]);
    for (const { title } of panelsOf(dashboard))
      assert.ok(page.includes(`<h3>${title.replaceAll("'", "&#39;")}</h3>`), title);
    assert.doesNotMatch(page, /undefined|NaN|\[object/);
  });

test("each panel of a dashboard without data says so", async () => {
  const [file = ""] = FILES;
  const dashboard = readDashboard(file);
  const page = dashboardPage([await answered(dashboard, { ask: () => Promise.resolve([]) })]);
  assert.equal(page.split("No data").length - 1, panelsOf(dashboard).length);
});

test("an unknown kind of panel is an error with its title", async () => {
  const one = await answered(dashboardOf({ type: "piechart" }), points());
  assert.throws(() => dashboardPage([one]), /"A panel" is of the kind piechart, which is not known here/);
});

test("an unknown unit is an error", async () => {
  const { panels } = dashboardOf({});
  const fieldConfig = { defaults: { ...(panels[1]?.["fieldConfig"] as { defaults: object }).defaults, unit: "lumen" } };
  const one = await answered(dashboardOf({ fieldConfig }), points());
  assert.throws(() => dashboardPage([one]), /the unit lumen is not known here/);
});

test("a page loads nothing and has no scripts", async () => {
  const page = dashboardPage([await answered(dashboardOf({}), points())]);
  assert.match(page, /content="default-src 'none'; style-src 'unsafe-inline'"/);
  assert.doesNotMatch(page, /<script|<link|<img|\bsrc=|\bhref=|url\(["']?(?!#)[a-z]+:/i);
});

test("the name of a VM cannot add markup to a page", async () => {
  const name = "<script>alert(1)</script>\"'&";
  const page = dashboardPage([await answered(dashboardOf({}), points({ name }))]);
  assert.doesNotMatch(page, /<script/);
  assert.match(page, /&#60;script&#62;alert\(1\)/);
});

test("the legend has the mean, the maximum and the last value", async () => {
  const page = dashboardPage([await answered(dashboardOf({}), points({ name: "web" }))]);
  const [, cells = ""] = /<\/i>web\s*<\/td>([^]*?)<\/tr>/.exec(page) ?? [];
  assert.deepEqual(
    [...cells.matchAll(/>\s*([^<\s]+)\s*</g)].map(([, text]) => text),
    ["2", "3", "3"],
  );
});

test("closed rows are shown, unless the caller leaves them out", async () => {
  const closed = dashboardOf({});
  const [row, panel] = closed.panels;
  assert.ok(row && panel);
  const one = await answered({ ...closed, panels: [{ ...row, collapsed: true, panels: [panel] }] }, points());
  assert.match(dashboardPage([one]), /A panel/);
  assert.doesNotMatch(
    dashboardPage([one], (isOpen) => isOpen),
    /A panel/,
  );
});
