import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { HttpServer } from "../../src/observability/http-server.ts";
import { statusPages } from "../../src/observability/status-page.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { SimulatorServer } from "../../src/simulator/server.ts";
import { SimulatedHost } from "../../src/simulator/simulated-host.ts";
import { launcher, troubledView, vm } from "../support/agent-view.ts";
import { pastOf } from "../support/past-loads.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { RunningAgent, target1 } from "./support/agent.ts";
import { Chromium } from "./support/chromium.ts";
import { until } from "./support/process.ts";
import { atEnd } from "../support/at-end.ts";

const SIZE = { width: 1280, height: 1180 };
const HEADINGS = ["worker-7", "Problems", "Targets", "VMs", "Libvirt daemons", "Kubernetes", "Configuration"];
/** Columns of the table of VMs that have pictures. */
const PICTURE_COLUMNS = { CPU: 4, Disk: 7, Network: 10 };

/** Serves the pages of a node, by default one with several faults; counts the requests of the first. */
async function troubled(
  t: TestContext,
  view = troubledView(),
): Promise<{ readonly url: string; readonly asked: () => number }> {
  let asked = 0;
  const server = await HttpServer.listen({
    address: { host: "127.0.0.1", port: 0 },
    routes: {
      ...statusPages(view),
      "/": (query) => {
        asked++;
        return statusPages(view)["/"](query);
      },
    },
    onError: (error) => {
      throw error;
    },
  });
  atEnd(t, () => server[Symbol.asyncDispose]());
  return { url: `http://${server.address}/`, asked: () => asked };
}

test("a browser without scripts shows the VMs of a running agent without errors", async (t) => {
  const socket = path.join(await temporaryDirectory(t), "sock");
  const libvirt = await SimulatorServer.start(socket, SimulatedHost.of(3, { nics: 1, disks: 1, seed: 1 }));
  atEnd(t, () => libvirt[Symbol.asyncDispose]());
  await using agent = await RunningAgent.start({
    sockets: [socket],
    targets: target1({ url: "http://127.0.0.1:9", database: "d" }),
    args: ["--listen", "127.0.0.1:0", "--node-name", "host-1"],
  });
  const address = await agent.address();
  await agent.run(2);
  await using browser = await Chromium.start();
  await browser.open(`http://${address}/?refresh=off`);
  assert.deepEqual(await browser.named("table"), ["Targets", "VMs", "Libvirt daemons"]);
  const names = await browser.named("rowheader");
  assert.deepEqual(
    names.filter((name) => name.startsWith("vm-")),
    ["vm-001", "vm-002", "vm-003"],
  );
  for (const text of ["<h1>host-1</h1>", "1 problem", "database: d"])
    assert.ok((await browser.dom()).includes(text), text);
  assert.deepEqual(browser.complaints, []);
});

test("the page has a light and a dark style and is accessible", async (t) => {
  const { url } = await troubled(t);
  await using browser = await Chromium.start();
  await browser.open(`${url}?refresh=off`);
  const light = await browser.screenshot(SIZE);
  assert.equal(await browser.style("body", "background-color"), "rgb(243, 245, 248)");
  const dark = await browser.screenshot({ ...SIZE, scheme: "dark" });
  assert.equal(await browser.style("body", "background-color"), "rgb(16, 22, 29)");
  assert.notDeepEqual(light, dark);
  assert.deepEqual(await browser.named("heading"), HEADINGS);
  assert.deepEqual(browser.complaints, []);
  if (process.env["UPDATE_IMAGES"] !== "1") return;
  await mkdir("docs/images", { recursive: true });
  await writeFile("docs/images/status-page.png", light);
});

test("a wide table does not make the whole page scroll sideways", async (t) => {
  const { url } = await troubled(t);
  await using browser = await Chromium.start();
  await browser.open(`${url}?refresh=off`);
  await browser.screenshot({ width: 390, height: 800 });
  assert.equal(await browser.contentWidth(), 390);
});

test("the pictures of a column are below each other, whatever the width of their numbers", async (t) => {
  const { url } = await troubled(t);
  await using browser = await Chromium.start();
  await browser.open(`${url}?refresh=off`);
  for (const width of [390, 1280]) {
    await browser.screenshot({ width, height: 800 });
    const columns = new Map<string, readonly { readonly left: number; readonly right: number }[]>();
    for (const [name, column] of Object.entries(PICTURE_COLUMNS)) {
      const pictures = await browser.edges(`td:nth-child(${column}) .spark`);
      assert.equal(pictures.length, 4, name);
      assert.equal(new Set(pictures.map(({ left }) => left)).size, 1, `${name}: ${JSON.stringify(pictures)}`);
      columns.set(name, pictures);
    }
    const numbers = await browser.edges("td .drawn span");
    assert.equal(new Set(numbers.map(({ right }) => right)).size, 1, "the numbers end at the same place");
    for (const [index, { left }] of numbers.entries())
      assert.ok((columns.get("CPU")?.[index]?.right ?? Number.NaN) < left, "a picture is beside its number");
  }
});

test("300 VMs can be searched and sorted without scripts, and each has a page, also on a narrow screen", async (t) => {
  const well = troubledView();
  const endpoints = Array.from({ length: 300 }, (_, index) =>
    launcher(String(index), [vm("shop", `a & b's replica-${index}`, index, { cpuPercent: index, sentBytes: index })]),
  );
  const { url } = await troubled(t, { ...well, history: pastOf(endpoints), libvirt: { ...well.libvirt, endpoints } });
  await using browser = await Chromium.start();
  const fits = async (): Promise<void> => {
    for (const width of [390, 1280]) {
      await browser.screenshot({ width, height: 800 });
      assert.equal(await browser.contentWidth(), width);
    }
  };
  const rows = async (): Promise<readonly string[]> =>
    (await browser.named("rowheader")).filter((name) => name.startsWith("shop/"));
  await browser.open(`${url}?refresh=off`);
  await fits();
  assert.equal((await rows()).length, 200);
  const pictures = await browser.named("image");
  assert.equal(pictures.length, 600);
  assert.match(pictures[0] ?? "", /^CPU: .* in 60 cycles$/);
  assert.deepEqual(await browser.named("searchbox"), ["Name"]);
  await browser.open(`${url}?q=replica-29&sort=network&refresh=off`);
  assert.equal((await rows()).length, 11);
  const [, link = ""] =
    /<th scope="row"><a href="([^"]*)">shop\/a &amp; b's replica-299</.exec(await browser.dom()) ?? [];
  await browser.open(new URL(link.replaceAll("&amp;", "&"), url).href);
  await fits();
  assert.deepEqual(await browser.named("heading"), ["shop/a & b's replica-299", "Disks", "Interfaces"]);
  assert.equal((await browser.named("image")).length, 3);
  assert.deepEqual(browser.complaints, []);
});

test("the page refreshes without scripts, and refresh=off disables that", async (t) => {
  const { url, asked } = await troubled(t);
  await using browser = await Chromium.start();
  await browser.open(url);
  await until(() => Promise.resolve(asked() >= 3 || undefined), "the page to be requested several times");
  await browser.open(`${url}?refresh=off`);
  const before = asked();
  // Longer than the refresh interval.
  await systemClock.sleep(7_000);
  assert.equal(asked(), before);
  assert.deepEqual(browser.complaints, []);
});
