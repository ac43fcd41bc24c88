import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { SimulatedHost } from "../../src/simulator/simulated-host.ts";
import { SimulatorServer } from "../../src/simulator/server.ts";
import { docBlocks } from "../support/docs.ts";
import { Influxd1 } from "./support/influxd1.ts";
import { run } from "./support/process.ts";

const resources = new AsyncDisposableStack();
/** A copy of the checkout, so that its build does not affect other tests. */
let checkout: string;
let influx: Influxd1;
let socket: string;

before(async () => {
  checkout = await mkdtemp(path.join(tmpdir(), "checkout-"));
  resources.defer(() => rm(checkout, { recursive: true, force: true }));
  for (const part of ["docs", "package.json", "package-lock.json", "scripts", "src"])
    await cp(part, path.join(checkout, part), { recursive: true });
  await symlink(path.resolve("node_modules"), path.join(checkout, "node_modules"));
  influx = resources.use(await Influxd1.start());
  socket = path.join(checkout, "libvirt-sock-ro");
  resources.use(await SimulatorServer.start(socket, SimulatedHost.of(2, { nics: 1, disks: 1, seed: 1 })));
});
after(() => resources.disposeAsync());

/** Runs a block of the README in the checkout; resolves to its output. */
function shell(text: string): Promise<string> {
  return run("env", "--chdir", checkout, `KUBEVIRT_TELEMETRY_LIBVIRT_SOCKET=${socket}`, "sh", "-ec", text);
}

function blocks(heading: string): readonly string[] {
  return docBlocks("README.md").flatMap((block) => (block.heading === heading ? [block.text] : []));
}

test("the demo shows lines and ends", async () => {
  const [demo = ""] = blocks("Try it");
  assert.match(await shell(demo), /vm_devices[^]*everything was collected and delivered/);
});

test("the quick start on a host builds, validates, shows the VMs and delivers", async () => {
  const [build = "", collect = ""] = blocks("Run it on a KVM host");
  await shell(build);
  const config = path.join(checkout, "config.yaml");
  await writeFile(config, (await readFile(config, "utf8")).replaceAll("http://localhost:8086", influx.url));
  assert.match(await shell(collect), /vm-001[^]*vm-002/);
  assert.equal((await influx.query('SELECT last("cputime_ns") FROM "vm_metrics" GROUP BY "name"')).length, 2);
});

test("an older Node gets a one-line error", async () => {
  const versions = 'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.19.5" } })';
  const older = ["--import", `data:text/javascript,${encodeURIComponent(versions)}`];
  await assert.rejects(run("node", ...older, "dist/kubevirt-telemetry.js", "--version"), {
    code: 2,
    stderr: "kubevirt-telemetry needs Node 24 or newer, and this is 20.19.5\n",
  });
});
