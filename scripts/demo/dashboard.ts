import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { provision } from "../provision/provision.ts";
import { answerHour, SUBJECTS } from "../pictures/hour.ts";
import { writeHour, type Database } from "../pictures/history.ts";
import { dashboardPage } from "../pictures/page.ts";
import { withResources } from "../long-run.ts";
import { Influxd1 } from "../../test/integration/support/influxd1.ts";

/** Below the project, where the build puts its files too. */
const PAGE = "dist/dashboards.html";

/**
 * Shows the dashboards without a Grafana: agents deliver an hour of three simulated nodes to an InfluxDB, and the answers to the
 * queries of the dashboards become one page. Without `given` it starts an InfluxDB and removes it at the end, also after SIGINT.
 * Ends the process.
 */
export function dashboardDemo(given: Database | undefined): Promise<never> {
  return withResources(async (resources) => {
    const started = performance.now();
    const say = (text: string): void => {
      console.log(`[${((performance.now() - started) / 1000).toFixed(0)} s] ${text}`);
    };
    const influx = given ?? (await startInflux(resources, say));
    say(`agents of three simulated nodes deliver the last hour to ${influx.url}; their clock runs fast`);
    const shown = await writeHour(influx, resources, (minutes) => {
      say(`${minutes} minutes of 60`);
    });
    const answered = [];
    for (const subject of SUBJECTS) {
      say(`asking the queries of the dashboard "${subject}"`);
      answered.push(await answerHour(subject, influx, shown));
    }
    await mkdir(path.dirname(PAGE), { recursive: true });
    await writeFile(PAGE, dashboardPage(answered));
    say(`done; open this page in a browser: ${path.resolve(PAGE)}`);
  });
}

async function startInflux(resources: AsyncDisposableStack, say: (text: string) => void): Promise<Influxd1> {
  say("starting an InfluxDB");
  const missing = (await Promise.all(provision(["scripts/demo/dashboard.ts"]).values())).flat();
  if (missing.length > 0)
    throw new Error(
      `an InfluxDB cannot be started here; it needs ${missing.join("; ")}. With one that needs no password: --influx-url URL`,
    );
  return resources.use(await Influxd1.start());
}
