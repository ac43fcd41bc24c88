import { after, before } from "node:test";
import { target1, target2 } from "./support/agent.ts";
import { writeForDashboards, type DashboardData } from "./support/dashboard-data.ts";
import { fluxServer, influxqlServer } from "./support/dashboard-servers.ts";
import { annotationSuite } from "./support/annotation-suite.ts";
import { dashboardSuite } from "./support/dashboard-suite.ts";
import { Influxd1 } from "./support/influxd1.ts";
import { Influxd2 } from "./support/influxd2.ts";

const resources = new AsyncDisposableStack();
let influx1: Influxd1;
let influx2: Influxd2;
let data: DashboardData;

before(async () => {
  influx1 = resources.use(await Influxd1.start());
  influx2 = resources.use(await Influxd2.start());
  const run = { targets: target1(influx1) + target2(influx2), secrets: { influx2: { token: influx2.token } } };
  data = await writeForDashboards(run, async (lines) => {
    await Promise.all([influx1.write(lines), influx2.write(lines)]);
  });
});

after(() => resources.disposeAsync());

for (const suite of [dashboardSuite, annotationSuite]) {
  suite("InfluxDB 1 by InfluxQL", "influxql", () => ({ server: influxqlServer(influx1), data }));
  suite("InfluxDB 2 by InfluxQL", "influxql", () => {
    const { url, bucket: database, token } = influx2;
    return { server: influxqlServer({ url, database, token }), data };
  });
  suite("InfluxDB 2 by Flux", "flux", () => ({ server: fluxServer(influx2), data }));
}
