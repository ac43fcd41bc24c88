import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { CHART } from "../../scripts/helm.ts";
import { victoriaMetricsPath } from "../../scripts/provision/cache.ts";
import { target1 } from "./support/agent.ts";
import { annotationSuite } from "./support/annotation-suite.ts";
import { writeForDashboards, type DashboardData } from "./support/dashboard-data.ts";
import { promqlServer } from "./support/dashboard-servers.ts";
import { dashboardSuite } from "./support/dashboard-suite.ts";
import { askedBy, interpolate, panelsOf, readDashboard } from "./support/grafana.ts";
import type { ServerProcess } from "./support/server-process.ts";
import { startVictoriaMetrics } from "./support/victoria-metrics.ts";

const DATABASE = "telemetry";
/** VictoriaMetrics has no values before the end of a bucket and this time, the least that it takes for `-search.latencyOffset`. */
const LATENCY_MS = 1_000;
const PROGRAMS = { "VictoriaMetrics 1.79": "victoria-metrics", "VictoriaMetrics 1.151": victoriaMetricsPath() };

const resources = new AsyncDisposableStack();
const servers = new Map<string, ServerProcess>();
let data: DashboardData;

before(async () => {
  for (const [name, program] of Object.entries(PROGRAMS))
    servers.set(name, resources.use(await startVictoriaMetrics(program)));
  const started = [...servers.values()];
  const targets = started.map(({ url }, index) =>
    target1({ url, database: DATABASE }).replace("influx1", `victoria${index}`),
  );
  data = await writeForDashboards({ targets: targets.join("") }, async (lines) => {
    await Promise.all(started.map((server) => write(server, lines)));
  });
  await Promise.all(started.map((server) => server.ask("/internal/force_flush")));
  await setTimeout(data.shown.toMs + data.shown.intervalS * 1000 + LATENCY_MS - Date.now());
});

after(() => resources.disposeAsync());

function serverOf(name: string): ServerProcess {
  const server = servers.get(name);
  assert.ok(server, name);
  return server;
}

async function write(server: ServerProcess, body: string, database = DATABASE): Promise<void> {
  await server.ask(`/write?db=${database}`, { method: "POST", body });
}

for (const suite of [dashboardSuite, annotationSuite])
  for (const name of Object.keys(PROGRAMS))
    suite(name, "promql", () => ({ server: promqlServer(serverOf(name)), data }));

for (const name of Object.keys(PROGRAMS))
  test(`${name}: the VMs of another database are left out unless it is chosen too`, async () => {
    const timeMs = data.labShown.fromMs + 1_000;
    for (const database of [DATABASE, "other"]) {
      const tags = `VMID=1,name=vm,uuid=${database},namespace=lab,node=${database}`;
      await write(serverOf(name), `two-vm_totals,${tags} cpus=2i ${timeMs}000000\n`, database);
    }
    await serverOf(name).ask("/internal/force_flush");
    const panel = panelsOf(readDashboard(`${CHART}/dashboards/promql/fleet.json`)).find(
      ({ title }) => title === "VMs, most at once",
    );
    const found: Record<string, readonly unknown[]> = {};
    for (const db of [DATABASE, ".*"]) {
      const choices = { prefix: "two-", db, namespace: ".*", node: ".*" };
      const query = interpolate(askedBy(panel?.targets?.[0] ?? { refId: "A" }), choices);
      const rows = await promqlServer(serverOf(name)).ask(query, data.labShown);
      found[db] = rows.map(({ value }) => value);
    }
    assert.deepEqual(found, { [DATABASE]: [1], ".*": [2] });
  });
