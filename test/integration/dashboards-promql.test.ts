import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { CHART } from "../../scripts/helm.ts";
import { victoriaMetricsPath } from "../../scripts/provision/cache.ts";
import { target1 } from "./support/agent.ts";
import { annotationSuite } from "./support/annotation-suite.ts";
import { writeForDashboards, type DashboardData } from "./support/dashboard-data.ts";
import { promqlServer, type AnswerRow } from "./support/dashboard-servers.ts";
import { dashboardSuite } from "./support/dashboard-suite.ts";
import { askedBy, interpolate, panelsOf, readDashboard, type Choices, type Shown } from "./support/grafana.ts";
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

/** Resolves to the rows of a panel of the lines with a prefix. */
async function rowsOf(
  name: string,
  [subject, title]: readonly [subject: string, title: string],
  choices: Choices,
  shown: Shown,
): Promise<readonly AnswerRow[]> {
  const panel = panelsOf(readDashboard(`${CHART}/dashboards/promql/${subject}.json`)).find(
    (each) => each.title === title,
  );
  const query = askedBy(panel?.targets?.[0] ?? { refId: "A" });
  return promqlServer(serverOf(name)).ask(interpolate(query, { namespace: ".*", node: ".*", ...choices }), shown);
}

for (const name of Object.keys(PROGRAMS)) {
  test(`${name}: the VMs of another database are left out unless it is chosen too`, async () => {
    const timeMs = data.labShown.fromMs + 1_000;
    for (const database of [DATABASE, "other"]) {
      const tags = `VMID=1,name=vm,uuid=${database},namespace=lab,node=${database}`;
      await write(serverOf(name), `two-vm_totals,${tags} cpus=2i ${timeMs}000000\n`, database);
    }
    await serverOf(name).ask("/internal/force_flush");
    const found: Record<string, readonly unknown[]> = {};
    for (const db of [DATABASE, ".*"]) {
      const rows = await rowsOf(name, ["fleet", "VMs, most at once"], { prefix: "two-", db }, data.labShown);
      found[db] = rows.map(({ value }) => value);
    }
    assert.deepEqual(found, { [DATABASE]: [1], ".*": [2] });
  });

  test(`${name}: points that are further apart than buckets have rates, except where the counter falls`, async () => {
    const [stepS, everyS, firstS, resetS, percent] = [10, 30, 3, 63, 25];
    const fromMs = data.labShown.fromMs;
    const lines = [0, 1, 2, 3].map((index) => {
      const second = firstS + index * everyS;
      const counted = second < resetS ? second : second - resetS + 1;
      const time = fromMs + second * 1000;
      return `sparse_vm_vcpus,VMID=1,name=vm,uuid=u,namespace=lab,vcpu=0 delay_ns=${counted * percent * 1e7}i ${time}000000\n`;
    });
    await write(serverOf(name), lines.join(""));
    await serverOf(name).ask("/internal/force_flush");
    const choices = { prefix: "sparse_", db: ".*", namespace: "lab", vm: "vm" };
    const shown = { ...data.labShown, intervalS: stepS };
    const rows = await rowsOf(name, ["vm", "Steal time, by vCPU"], choices, shown);
    assert.deepEqual(
      rows.map(({ time, value }) => [(Number(time) - fromMs) / 1000, value]),
      [
        [30, percent],
        [90, percent],
      ],
    );
  });
}
