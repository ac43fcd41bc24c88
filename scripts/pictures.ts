// Makes the pictures of the documentation again: the dashboards, and the status page of an agent.
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { longRun } from "./long-run.ts";
import { answerAgents } from "./pictures/agents.ts";
import { answerHour, SUBJECTS } from "./pictures/hour.ts";
import { writeHour } from "./pictures/history.ts";
import { dashboardPage, PAGE_WIDTH } from "./pictures/page.ts";
import { withPalette } from "./pictures/png.ts";
import { Chromium } from "../test/integration/support/chromium.ts";
import { Influxd1 } from "../test/integration/support/influxd1.ts";

const DIRECTORY = "docs/images";
/** A page that needs more is not readable as a picture. */
const MAX_BYTES = 150_000;
/** The README shows the first rows of one dashboard. */
const IN_README = "node";
const README_ROWS = 2;
const wanted = process.argv.slice(2);
const isWanted = (name: string): boolean => wanted.length === 0 || wanted.includes(name);

await longRun(["scripts/pictures.ts"], async (resources) => {
  const directory = await mkdtemp(path.join(tmpdir(), "pictures-"));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  const browser = resources.use(await Chromium.start());
  const draw = async (name: string, page: string): Promise<void> => {
    const file = path.join(directory, `${name}.html`);
    await writeFile(file, page);
    await browser.open(pathToFileURL(file).href);
    // The height is that of a window of this width.
    await browser.screenshot({ width: PAGE_WIDTH, height: 300 });
    const png = withPalette(await browser.screenshot({ width: PAGE_WIDTH, height: await browser.contentHeight() }));
    if (browser.complaints.length > 0) throw new Error(`the page of ${name}: ${browser.complaints.join("; ")}`);
    if (png.length > MAX_BYTES) throw new Error(`${name}.png would have ${png.length} bytes, more than ${MAX_BYTES}`);
    await writeFile(`${DIRECTORY}/${name}.png`, png);
    console.log(`${DIRECTORY}/${name}.png: ${png.length} bytes`);
  };
  if (SUBJECTS.some(isWanted)) {
    const influx = resources.use(await Influxd1.start());
    const shown = await writeHour(influx, resources, () => undefined);
    for (const subject of SUBJECTS.filter(isWanted)) {
      const answered = await answerHour(subject, influx, shown);
      await draw(
        `dashboard-${subject}`,
        dashboardPage([answered], (isOpen) => isOpen),
      );
      await draw(
        `dashboard-${subject}-optional`,
        dashboardPage([answered], (isOpen) => !isOpen),
      );
      if (subject === IN_README)
        await draw(
          "dashboard",
          dashboardPage([answered], (_, row) => row < README_ROWS),
        );
    }
  }
  if (isWanted("agents")) await draw("dashboard-agents", dashboardPage([await answerAgents(resources)]));
  if (isWanted("status-page")) {
    const env = { ...process.env, UPDATE_IMAGES: "1" };
    const test = spawnSync("node", ["--test", "test/integration/status-page.test.ts"], { stdio: "inherit", env });
    if (test.status !== 0) throw new Error("the test of the status page, which makes its picture, has failed");
  }
});
