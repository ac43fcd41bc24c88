import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { chmod, chown, mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { SimulatedHost } from "../../src/simulator/simulated-host.ts";
import { SimulatorServer } from "../../src/simulator/server.ts";
import { Image } from "./support/image.ts";
import { RecordingSink } from "./support/recording-sink.ts";
import { atEnd } from "../support/at-end.ts";

const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
const LAUNCHER = { uid: 107, gid: 0 };

const resources = new AsyncDisposableStack();
let image: Image;

before(async () => {
  image = resources.use(await Image.build(version));
});
after(() => resources.disposeAsync());

async function directory(t: TestContext, { uid, gid } = LAUNCHER): Promise<string> {
  const made = await mkdtemp(path.join(tmpdir(), "mount-"));
  atEnd(t, () => rm(made, { recursive: true, force: true }));
  await chown(made, uid, gid);
  return made;
}

test("the image is one file of JavaScript and has a numeric user", async () => {
  const { User, Entrypoint, Labels } = image.config;
  assert.equal(User, "65532:65532");
  assert.equal(Entrypoint[0], "/nodejs/bin/node");
  assert.equal(Entrypoint.at(-1), "/app/kubevirt-telemetry.js");
  assert.equal(Labels["org.opencontainers.image.version"], version);
  assert.equal(Labels["org.opencontainers.image.licenses"], "Apache-2.0");
  const files = ["LICENSE", "THIRD_PARTY_LICENSES.txt", "kubevirt-telemetry.js"];
  assert.deepEqual(await readdir(path.join(image.rootfs, "app")), files);
  for (const absent of ["src", "node_modules", "bin"])
    await assert.rejects(stat(path.join(image.rootfs, absent)), { code: "ENOENT" });
});

test("two builds of the same sources produce the same image", async () => {
  assert.equal(await image.rebuild(version), image.id);
});

test("the image starts as any user on a read-only file system", async () => {
  for (const user of ["65532:65532", "107:0", "1000680000:0"])
    assert.equal(await image.run({ user }, "--version"), `${version}\n`, user);
});

test("the image runs a cycle as the launchers' user, read-only and without capabilities", async (t) => {
  const [pods, config] = [await directory(t), await directory(t)];
  await using sink = await RecordingSink.start();
  const socket = path.join(pods, "libvirt-sock");
  const host = await SimulatorServer.start(socket, SimulatedHost.of(3, { nics: 1, disks: 1, seed: 1 }));
  atEnd(t, () => host[Symbol.asyncDispose]());
  await chown(socket, LAUNCHER.uid, LAUNCHER.gid);
  await chmod(socket, 0o700);
  await writeFile(
    path.join(config, "config.yaml"),
    `apiVersion: kubevirt-telemetry.io/v1alpha1
kind: TelemetryConfig
metadata: { name: default }
spec:
  targets:
    - name: sink
      url: ${sink.url}
      tls: { mode: Plaintext }
      v1: { database: ${sink.database} }
`,
  );
  const options = [
    "--config",
    "/config/config.yaml",
    "--libvirt-socket",
    "/p/libvirt-sock",
    "--node-name",
    "n",
    "--once",
  ];
  const mounts = { "/p": `${pods}:ro`, "/config": `${config}:ro` };
  await image.run({ user: "107:0", mounts }, "agent", ...options);
  const domains = sink.points.filter(({ measurement }) => measurement === "vm_metrics");
  assert.equal(domains.length, 3);
});

test("prepare-spool makes the agent the owner of the spool, with two capabilities", async (t) => {
  const spool = await directory(t, { uid: 0, gid: 0 });
  const inside = path.join(spool, "v1");
  await mkdir(inside, { mode: 0o700 });
  const capabilities = ["chown", "dac_override"];
  const prepare = (owner: string) =>
    image.run({ user: "0:0", capabilities, mounts: { "/spool": spool } }, "prepare-spool", "/spool", owner);
  for (const owner of ["107:0", "0:0", "107:0"]) {
    await prepare(owner);
    for (const at of [spool, inside]) {
      const { uid, gid } = await stat(at);
      assert.equal(`${uid}:${gid}`, owner, at);
    }
  }
  await assert.rejects(
    image.run({ user: "0:0", mounts: { "/spool": spool } }, "prepare-spool", "/spool", "0:0"),
    /E_SPOOL_WRITE: .*(EPERM|EACCES)/,
    "without them",
  );
});
