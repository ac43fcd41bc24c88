import { after, before } from "node:test";
import { parseLines } from "../../scripts/demo/line-protocol-parser.ts";
import { target1 } from "./support/agent.ts";
import { writeForDashboards, type DashboardData } from "./support/dashboard-data.ts";
import { sqlServer, type Server } from "./support/dashboard-servers.ts";
import { annotationSuite } from "./support/annotation-suite.ts";
import { dashboardSuite } from "./support/dashboard-suite.ts";
import { Datafusion } from "./support/datafusion.ts";
import { RecordingSink } from "./support/recording-sink.ts";

// InfluxDB 3 is not available here: its queries run on its query engine.

const resources = new AsyncDisposableStack();
let server: Server;
let data: DashboardData;

before(async () => {
  const sink = resources.use(await RecordingSink.start());
  data = await writeForDashboards({ targets: target1(sink) }, (lines) => {
    sink.points.push(...parseLines(lines));
    return Promise.resolve();
  });
  server = sqlServer(resources.use(await Datafusion.start(sink.points)));
});

after(() => resources.disposeAsync());

for (const suite of [dashboardSuite, annotationSuite]) suite("DataFusion by SQL", "sql", () => ({ server, data }));
