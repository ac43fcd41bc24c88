import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { test, type TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import { panelsOf, readDashboard } from "./support/grafana.ts";
import { Chromium } from "./support/chromium.ts";
import { end } from "./support/process.ts";
import { CHART } from "../../scripts/helm.ts";
import { atEnd } from "../support/at-end.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
// It is not called here: the import tells which programs the demo needs.
import "../../scripts/demo/dashboard.ts";

const SUBJECTS = ["fleet", "node", "vm"];
/** Panels that have no data in the hour of the demo. */
const EMPTY = 0;

/** Starts the demo with a directory of its own for temporary files. */
async function startDemo(t: TestContext) {
  const directory = await temporaryDirectory(t);
  const child = spawn("node", ["scripts/run.mjs", "demo", "--dashboard"], {
    // A group of its own, because Ctrl-C reaches all processes of a terminal's group.
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, TMPDIR: directory },
  });
  atEnd(t, () => end(child, "SIGKILL"));
  const ended = once(child, "exit") as Promise<[code: number | null]>;
  return { child, ended, left: () => readdir(directory) };
}

test("the demo with --dashboard draws every panel with data, and leaves only the page", async (t) => {
  const { child, ended, left } = await startDemo(t);
  let output = "";
  for await (const text of child.stdout.setEncoding("utf8") as AsyncIterable<string>) output += text;
  assert.deepEqual(await ended, [0, null], output);
  assert.deepEqual(await left(), []);
  const [, page = ""] = /^\[\d+ s\] done; open this page in a browser: (.+)$/m.exec(output) ?? [];
  await using browser = await Chromium.start();
  await browser.open(pathToFileURL(page).href);
  const dom = await browser.dom();
  const dashboards = SUBJECTS.map((subject) => readDashboard(`${CHART}/dashboards/influxql/${subject}.json`));
  assert.equal(dom.split("<section ").length - 1, dashboards.flatMap(panelsOf).length);
  assert.equal(dom.split("No data").length - 1, EMPTY);
  assert.deepEqual(browser.complaints, []);
});

test("the demo with --dashboard leaves nothing after Ctrl-C", async (t) => {
  const { child, ended, left } = await startDemo(t);
  let output = "";
  let isInterrupted = false;
  for await (const text of child.stdout.setEncoding("utf8") as AsyncIterable<string>) {
    output += text;
    if (isInterrupted || child.pid === undefined || !output.includes("10 minutes of 60")) continue;
    process.kill(-child.pid, "SIGINT");
    isInterrupted = true;
  }
  await ended;
  assert.ok(isInterrupted);
  assert.doesNotMatch(output, /done;/);
  assert.deepEqual(await left(), []);
});
