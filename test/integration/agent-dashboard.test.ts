import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CHART } from "../../scripts/helm.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { controllerRoutes } from "../../src/observability/controller-routes.ts";
import { HttpServer } from "../../src/observability/http-server.ts";
import { controllerView } from "../support/controller-view.ts";
import { RunningAgent, target1 } from "./support/agent.ts";
import { askedBy, interpolate, MACROS, readDashboard, type Choices, type Shown } from "./support/grafana.ts";
import { until } from "./support/process.ts";
import { Prometheus, type PromSeries } from "./support/prometheus.ts";
import { RecordingSink } from "./support/recording-sink.ts";
import { SimulatedNode } from "./support/simulated-node.ts";

const DASHBOARD = readDashboard(`${CHART}/dashboards/agent.json`);
const VMS = { shop_web: 1, shop_db: 2, lab_batch: 3 };
/** Metrics that Prometheus must have scraped. */
const SCRAPES = 8;

const resources = new AsyncDisposableStack();
let prometheus: Prometheus;
let choices: Choices;
let shown: Shown;

before(async () => {
  const sink = resources.use(await RecordingSink.start());
  const node = resources.use(await SimulatedNode.start(VMS));
  const agent = resources.use(
    await RunningAgent.start({
      targets: target1(sink),
      // The second socket has no listener, which is an error in every cycle.
      sockets: [`${node.podsDir}/no-listener`],
      args: ["--pods-dir", node.podsDir, "--node-name", "node-1", "--listen", "127.0.0.1:0"],
    }),
  );
  const address = await agent.address();
  const controller = resources.use(
    await HttpServer.listen({
      address: { host: "127.0.0.1", port: 0 },
      routes: controllerRoutes(controllerView, new AbortController().signal, systemClock),
      onError: (error) => {
        throw error;
      },
    }),
  );
  await agent.run(2);
  prometheus = resources.use(
    await Prometheus.start({
      agents: { address, labels: { node: "node-1" } },
      controllers: { address: controller.address, labels: { node: "node-2" } },
    }),
  );
  const fromS = Date.now() / 1000;
  await until(async () => {
    const [series] = await prometheus.range("kubevirt_telemetry_cycles_total", fromS, Date.now() / 1000);
    return (series?.values.length ?? 0) >= SCRAPES || undefined;
  }, `${SCRAPES} scrapes`);
  shown = { fromMs: fromS * 1000, toMs: Date.now(), intervalS: 1 };
  choices = { job: [".*"], instance: [".*"] };
});

after(() => resources.disposeAsync());

function ask(expr: string, instead: Choices = {}): Promise<readonly PromSeries[]> {
  const text = MACROS.promql(interpolate(expr, { ...choices, ...instead }), shown);
  return prometheus.range(text, shown.fromMs / 1000, shown.toMs / 1000);
}

/** Resolves to the last value of the only series of a panel. */
async function last(title: string, instead: Choices = {}): Promise<number> {
  const [target] = DASHBOARD.panels.find((panel) => panel.title === title)?.targets ?? [];
  assert.ok(target, title);
  const series = await ask(askedBy(target), instead);
  assert.equal(series.length, 1, title);
  return Number(series[0]?.values.at(-1)?.[1]);
}

test("every query of the agents' dashboard has values and the labels of its legend", async () => {
  for (const { title, targets = [] } of DASHBOARD.panels)
    for (const target of targets) {
      const series = await ask(askedBy(target));
      assert.notEqual(series.flatMap(({ values }) => values).length, 0, `${title}: ${askedBy(target)}`);
      for (const [, label = ""] of String(target["legendFormat"]).matchAll(/\{\{(\w+)\}\}/g))
        assert.ok(
          series.every(({ metric }) => metric[label] !== undefined),
          `${title}: ${label}`,
        );
    }
});

test("the numbers match the agent", async () => {
  assert.equal(await last("Agents up"), 1);
  assert.equal(await last("VMs"), Object.keys(VMS).length);
  assert.equal(await last("Failing targets"), 0);
  assert.equal(await last("Lines dropped"), 0);
  const cycles = await last("Cycles run");
  assert.ok(cycles > 0.6 && cycles < 1.4, `${cycles}`);
  assert.deepEqual(await ask('kubevirt_telemetry_domains{job=~"$job"}', { job: ["controllers"] }), []);
});

test("the variables offer the existing values", async () => {
  for (const { name, type, query } of DASHBOARD.templating.list) {
    if (type !== "query") continue;
    const [, match = "", label = ""] = /^label_values\((.*), (\w+)\)$/.exec(interpolate(query, choices)) ?? [];
    assert.equal(label, name);
    const found = await prometheus.labelValues(label, match);
    if (name === "job") assert.deepEqual(found, ["agents", "controllers"]);
    else assert.equal(found.length, 2);
  }
});
