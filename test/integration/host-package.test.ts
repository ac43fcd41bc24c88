import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { makePackage } from "../../scripts/nfpm.ts";
import { DebianHost } from "./support/debian-host.ts";
import { Influxd1 } from "./support/influxd1.ts";
import { LibvirtHost } from "./support/libvirt-host.ts";
import { freePort, run, until } from "./support/process.ts";

const NAME = "kubevirt-telemetry";
const SERVICE = `${NAME}.service`;
const UNIT = `packaging/host/${SERVICE}`;
/** Of 100: systemd calls a unit above 50 exposed. */
const MAX_EXPOSURE = 15;
const SPOOL = `/var/lib/${NAME}`;

const resources = new AsyncDisposableStack();
let directory: string;
let deb: string;
let libvirt: LibvirtHost;
let influx: Influxd1;
let host: DebianHost;

before(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "package-"));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  deb = makePackage("deb", directory);
  libvirt = resources.use(await LibvirtHost.start());
  await libvirt.createGuest("web", { disks: [], taps: [] });
  influx = resources.use(await Influxd1.start());
  await writeFile(path.join(directory, "config.yaml"), config(influx));
  host = resources.use(
    await DebianHost.boot({ binds: { [libvirt.socket]: "/run/libvirt/libvirt-sock-ro", [directory]: "/mnt" } }),
  );
});

after(() => resources.disposeAsync());

test("the service may do little on its host", async () => {
  await run("systemd-analyze", "security", "--offline=yes", `--threshold=${MAX_EXPOSURE}`, UNIT);
});

test("the RPM package has the files and scripts of the Debian package", async () => {
  const rpm = makePackage("rpm", directory);
  const ofRpm = (await run("rpm", "--query", "--package", "--list", "--noartifact", rpm)).trim().split("\n");
  const ofDeb = (await run("dpkg-deb", "--contents", deb)).trim().split("\n");
  const files = ofDeb
    .filter((entry) => !entry.startsWith("d"))
    .map((entry) => entry.replace(/^.* \./, "").replace("zsh/vendor-completions", "zsh/site-functions"));
  assert.deepEqual(ofRpm.filter((file) => files.includes(file)).sort(), files.sort());
  const scripts = await run("rpm", "--query", "--package", "--scripts", rpm);
  for (const part of ["systemd-sysusers", "try-restart", "disable --now"]) assert.ok(scripts.includes(part), part);
});

test("after the installation the service waits for a configuration", async () => {
  await install();
  await host.run("systemd-analyze", "verify", "--man=no", SERVICE);
  await host.run("systemctl", "enable", "--now", SERVICE);
  assert.equal(await property("ActiveState"), "inactive");
  assert.equal(await property("ConditionResult"), "no");
});

test("the service delivers the VMs of its host as a user of its own", async () => {
  await libvirt.addUser((await host.run("getent", "passwd", NAME)).trim());
  await shell(`
    echo LISTEN=127.0.0.1:${await freePort()} > /etc/default/${NAME}
    mkdir /etc/${NAME}/secrets/influxdb
    printf tests > /etc/${NAME}/secrets/influxdb/username
    printf a-password > /etc/${NAME}/secrets/influxdb/password
    cp /mnt/config.yaml /etc/${NAME}/
    systemctl start ${SERVICE}`);
  // Type=notify: the start has returned, so the agent has said that it is ready.
  assert.equal(await property("ActiveState"), "active");
  const [row] = await until(stored, "the first points");
  assert.equal(row?.["name"], "web");
  await host.run("systemctl", "reload", SERVICE);
  assert.equal(await property("ActiveState"), "active");
  assert.equal(await shell(`stat --format %U /proc/${await property("MainPID")} ${SPOOL}`), `${NAME}\n${NAME}\n`);
});

test("a service that hangs is started again", async () => {
  const drop = `/run/systemd/system/${SERVICE}.d`;
  await shell(`mkdir ${drop}; echo '[Service]\nWatchdogSec=5s' > ${drop}/soon.conf; systemctl daemon-reload`);
  await host.run("systemctl", "restart", SERVICE);
  const pid = await property("MainPID");
  await shell(`kill -STOP ${pid}`);
  await until(async () => (await runsAsAnother(pid)) || undefined, "another process");
  await shell(`rm -r ${drop}; systemctl daemon-reload`);
});

test("an upgrade in an outage of the target keeps what is queued", async () => {
  await influx.stop();
  const queued = await until(async () => (await queuedLines()) || undefined, "queued lines");
  const pid = await property("MainPID");
  await install();
  assert.ok(await runsAsAnother(pid));
  assert.ok((await queuedLines()) >= queued);
  await influx.restart();
  await until(async () => ((await queuedLines()) === 0 ? true : undefined), "the queue to be empty");
});

test("a removal leaves the configuration and the spool, and a purge leaves nothing", async () => {
  await host.run("dpkg", "--remove", NAME);
  assert.equal(await property("ActiveState"), "inactive");
  const left = await files();
  assert.deepEqual(
    left.filter((file) => !file.startsWith(`/etc/${NAME}/`) && !file.startsWith(`${SPOOL}/`)),
    [`/etc/default/${NAME}`],
  );
  assert.ok(left.includes(`/etc/${NAME}/config.yaml`) && left.some((file) => file.startsWith(SPOOL)));
  await host.run("dpkg", "--purge", NAME);
  assert.deepEqual(await files(), []);
});

async function install(): Promise<void> {
  await host.run("dpkg", "--install", path.join("/mnt", path.basename(deb)));
}

function shell(commands: string): Promise<string> {
  return host.run("sh", "-ec", commands);
}

function property(name: string): Promise<string> {
  return host.property(SERVICE, name);
}

async function runsAsAnother(pid: string): Promise<boolean> {
  return (await property("ActiveState")) === "active" && (await property("MainPID")) !== pid;
}

async function stored(): Promise<readonly Readonly<Record<string, string>>[] | undefined> {
  const rows = await influx.query("SELECT * FROM vm_metrics");
  return rows.length > 0 ? rows : undefined;
}

async function queuedLines(): Promise<number> {
  return Number(/target influxdb: (\d+) lines/.exec(await host.run(NAME, "spool", "inspect", SPOOL))?.[1] ?? 0);
}

/** Resolves to the files of the package, except those of dpkg. */
async function files(): Promise<string[]> {
  const found = await shell(`find /etc /usr /var /run -path '*${NAME}*' ! -type d ! -path '/var/lib/dpkg/*'`);
  return found.split("\n").filter(Boolean);
}

function config({ url, database }: Influxd1): string {
  const target = {
    name: "influxdb",
    url,
    tls: { mode: "Plaintext" },
    v1: { database, credentialsSecretRef: { name: "influxdb" } },
  };
  return JSON.stringify({
    apiVersion: "kubevirt-telemetry.io/v1alpha1",
    kind: "TelemetryConfig",
    metadata: { name: "host" },
    spec: { collection: { interval: "1s" }, targets: [target] },
  });
}
