import { answer, type AnsweredDashboard } from "./answers.ts";
import { CHART } from "../helm.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { RunningAgent, target1 } from "../../test/integration/support/agent.ts";
import type { Server } from "../../test/integration/support/dashboard-servers.ts";
import { MACROS, readDashboard } from "../../test/integration/support/grafana.ts";
import { Influxd1 } from "../../test/integration/support/influxd1.ts";
import { Prometheus } from "../../test/integration/support/prometheus.ts";
import { SimulatedNode } from "../../test/integration/support/simulated-node.ts";

/** In seconds: the time shown, and when the target is down in it. */
const MINUTES = 5;
const SHOWN_S = MINUTES * 60;
const DOWN_S = 120;
const UP_S = 180;
/** The first rates need some scrapes. */
const WARM_UP_S = 20;
const STEP_S = 5;
const VMS = [
  { "shop_web-1": 1, shop_db: 2, office_mail: 3, lab_notebook: 4 },
  { "shop_web-2": 5, shop_search: 6, lab_batch: 7 },
  { shop_cache: 8, lab_ci: 9 },
] as const;

/** Runs three agents for some minutes, during which their target is down for a minute. Resolves to their dashboard. */
export async function answerAgents(resources: AsyncDisposableStack): Promise<AnsweredDashboard> {
  const influx = resources.use(await Influxd1.start());
  const addresses: string[] = [];
  for (const [index, vms] of VMS.entries()) {
    const node = resources.use(await SimulatedNode.start(vms));
    const args = ["--pods-dir", node.podsDir, "--node-name", nodeName(index), "--listen", "127.0.0.1:0"];
    const targets = target1(influx);
    const agent = resources.use(await RunningAgent.start({ targets, interval: "2s", sockets: [], args }));
    addresses.push(await agent.address());
  }
  const jobs = addresses.map((address, index) => [`agents-${index}`, { address, labels: { node: nodeName(index) } }]);
  const prometheus = resources.use(
    await Prometheus.start(Object.fromEntries(jobs) as Parameters<typeof Prometheus.start>[0]),
  );
  await systemClock.sleep(WARM_UP_S * 1000);
  const fromMs = Date.now();
  await systemClock.sleep(DOWN_S * 1000);
  await influx.stop();
  await systemClock.sleep((UP_S - DOWN_S) * 1000);
  await influx.restart();
  await systemClock.sleep(fromMs + SHOWN_S * 1000 - Date.now());
  const shown = { fromMs, toMs: fromMs + SHOWN_S * 1000 - 1, intervalS: STEP_S };
  const dashboard = readDashboard(`${CHART}/dashboards/agent.json`);
  return answer(dashboard, { job: ".*", instance: ".*" }, shown, promqlServer(prometheus));
}

function nodeName(index: number): string {
  return `node-${"abc"[index] ?? index}`;
}

function promqlServer(prometheus: Prometheus): Server {
  return {
    async ask(query, shown) {
      const { fromMs, toMs, intervalS } = shown;
      const text = MACROS.promql(query, shown);
      const series = await prometheus.range(text, fromMs / 1000, toMs / 1000, intervalS);
      return series.flatMap(({ metric, values }) =>
        values.map(([time, value]) => ({ ...metric, time: time * 1000, value: Number(value) })),
      );
    },
  };
}
