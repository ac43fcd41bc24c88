// A target without its Secret.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { SimulatedHost } from "../../src/simulator/simulated-host.ts";
import { SimulatorServer } from "../../src/simulator/server.ts";
import { atEnd } from "../support/at-end.ts";
import { run } from "../support/command-line.ts";
import { configText } from "../support/config.ts";
import { batchOf, DeliveryBench, secret, targetSettings } from "../support/delivery.ts";
import { FakeInflux } from "../support/fake-influx.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const never = new AbortController().signal;
const fault = { reason: "SecretNotFound", code: "E_SECRET_NOT_FOUND", message: "there is no Secret a" } as const;

test("a target without its Secret gets no request, and its lines wait", async () => {
  await using influx = await FakeInflux.start({ version: "v2", authorization: "Token t" });
  await using bench = new DeliveryBench();
  const settings = targetSettings({ url: influx.url, credentials: { kind: "missing" }, fault });
  const sender = bench.start(settings);
  await bench.append(batchOf(3));
  assert.equal(await sender.drain(never), false, "a drain does not wait for a Secret");
  sender.update({ ...settings, fault: { ...fault, message: "the Secret a has no key t" } });
  assert.equal(await sender.drain(never), false);
  assert.deepEqual(influx.requests, []);
  assert.equal(sender.backlog.lines, 3);
  sender.update(targetSettings({ url: influx.url, credentials: { kind: "token", token: secret("t") } }));
  assert.equal(await sender.drain(never), true);
  assert.equal(influx.stored.length, 3);
});

test("one of three targets without its Secret fails alone, and --once exits with 1", async (t) => {
  const directory = await temporaryDirectory(t);
  const [socket, config, secrets] = ["sock", "config.yaml", "secrets"].map((name) => path.join(directory, name));
  assert.ok(socket !== undefined && config !== undefined && secrets !== undefined);
  const server = await SimulatorServer.start(socket, SimulatedHost.of(2, { nics: 1, disks: 1, seed: 1 }));
  atEnd(t, () => server[Symbol.asyncDispose]());
  await using influx = await FakeInflux.start({ version: "v2" });
  const target = (name: string, tokenSecretRef?: object): object => {
    const v2 = { org: "o", bucket: name, ...(tokenSecretRef && { tokenSecretRef }) };
    return { name, url: influx.url, tls: { mode: "Plaintext" }, v2 };
  };
  await mkdir(path.join(secrets, "blank"), { recursive: true });
  await writeFile(path.join(secrets, "blank", "token"), "two words");
  const targets = [target("good"), target("absent", { name: "absent" }), target("blank", { name: "blank" })];
  await writeFile(config, configText({ targets }));
  const args = ["agent", "--config", config, "--libvirt-socket", socket, "--secrets-dir", secrets, "--once"];
  const { exitCode, stdout, stderr } = await run(args);
  assert.equal(exitCode, 1, stderr);
  assert.deepEqual([...new Set(influx.requests.map(({ query }) => query["bucket"]))], ["good"]);
  assert.ok(influx.stored.length > 0);
  for (const text of [
    /"reason":"SecretNotFound","msg":"delivery failing, lines are buffered: the key `token` of the Secret `absent` /,
    /"reason":"TargetUnauthorized","msg":"delivery failing, lines are buffered: the key `token` of the Secret `blank` /,
  ])
    assert.match(stdout, text);
  assert.ok(!stdout.includes("two words"));
});
