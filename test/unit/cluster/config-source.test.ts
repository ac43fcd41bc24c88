import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { pino } from "pino";
import { ClusterConfigSource, watchConfigs, type GoverningConfig } from "../../../src/cluster/config-source.ts";
import { TELEMETRY_CONFIGS } from "../../../src/cluster/kinds.ts";
import { OwnNode } from "../../../src/cluster/node-object.ts";
import { readClusterObject, type ClusterConfig } from "../../../src/config/cluster-object.ts";
import { ConfigLoop, type ConfigListener } from "../../../src/config/config-loop.ts";
import type { Labels } from "../../../src/config/selectors.ts";
import { TelemetryError } from "../../../src/errors.ts";
import { KubeError } from "../../../src/kubernetes/kube-error.ts";
import { resourcePath } from "../../../src/kubernetes/kube-object.ts";
import { tokenOf } from "../../support/config.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeKubeClient } from "../../support/fake-kube-client.ts";

interface ObjectChange {
  readonly uid?: string;
  readonly generation?: number;
  readonly spec?: object;
}

function object(name: string, { uid = `uid-${name}`, generation = 1, spec = {} }: ObjectChange = {}): ClusterConfig {
  const read = readClusterObject({
    metadata: { name, uid, generation, creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: {
      targets: [
        {
          name: "main",
          url: "https://influx.example.com",
          v2: { org: "o", bucket: "b", tokenSecretRef: { name: "s" } },
        },
      ],
      ...spec,
    },
  });
  assert.ok(read !== undefined);
  return read;
}

const UNREADABLE = { collection: { onMissing: "Guess" } };

function unreadable(name: string, spec: object = {}): ClusterConfig {
  return object(name, { generation: 2, spec: { ...UNREADABLE, ...spec } });
}

let clock: FakeClock;
let configs: Map<string, ClusterConfig>;
let labels: Labels;
let token: string | TelemetryError;
let reads: number;
let labelReads: number;
let events: string[];
let source: ClusterConfigSource;
let loop: ConfigLoop<GoverningConfig>;
let stop: AbortController;
let running: Promise<void>;

beforeEach(() => {
  clock = new FakeClock();
  configs = new Map();
  labels = {};
  token = "first";
  reads = 0;
  labelReads = 0;
  events = [];
  stop = new AbortController();
  source = new ClusterConfigSource({
    configs,
    labels: () => {
      labelReads++;
      return Promise.resolve(labels);
    },
    secrets: {
      read: () => {
        reads++;
        return token instanceof TelemetryError ? Promise.reject(token) : Promise.resolve(token);
      },
    },
  });
  loop = new ConfigLoop(source, clock, () => 0.5);
});

const listener: ConfigListener = {
  changed: (config, origin) => {
    events.push(config === undefined ? "none" : `${origin?.name ?? ""} ${config.intervalMs} ${tokenOf(config) ?? ""}`);
  },
  rejected: ({ reason, error: { message } }) => events.push(`${reason}: ${message}`),
  incomplete: ({ reason, error: { message } }) => events.push(`incomplete ${reason}: ${message}`),
  unavailable: ({ code }) => events.push(code),
};

afterEach(async () => {
  stop.abort();
  await running;
});

async function start(...objects: readonly ClusterConfig[]): Promise<void> {
  for (const one of objects) configs.set(one.name, one);
  running = loop.run(listener, stop.signal);
  await clock.advance(0);
}

async function change(...objects: readonly ClusterConfig[]): Promise<void> {
  for (const one of objects) configs.set(one.name, one);
  loop.wake();
  await clock.advance(5_000);
}

test("the governing object is active, with its Secrets", async () => {
  await start(object("default"), object("better", { spec: { priority: 5, collection: { interval: "10s" } } }));
  assert.deepEqual(events, ["better 10000 first"]);
  assert.deepEqual(loop.origin, { name: "better", uid: "uid-better", observedGeneration: 1 });
  assert.deepEqual(source.selectedBy, ["better", "default"]);
  assert.equal(labelReads, 0, "no object selects nodes by labels");
});

test("the node's labels are read if an object selects nodes by labels", async () => {
  labels = { pool: "gpu" };
  const gpu = object("gpu", { spec: { priority: 5, nodeSelector: { matchLabels: { pool: "gpu" } } } });
  const other = object("other", { spec: { priority: 9, nodeSelector: { matchLabels: { pool: "cpu" } } } });
  await start(object("default"), gpu, other);
  assert.equal(loop.origin?.name, "gpu");
  assert.deepEqual(source.selectedBy, ["gpu", "default"]);
});

test("a change is reported only if it changes the effective configuration", async () => {
  await start(object("default"));
  await change(object("default", { generation: 2, spec: { collection: { interval: "7s" } } }));
  assert.deepEqual(events, ["default 5000 first", "default 7000 first"]);
  await change(object("default", { generation: 3, spec: { collection: { interval: "7s" }, priority: 1 } }));
  assert.equal(events.length, 2);
  assert.equal(loop.origin?.observedGeneration, 3);
});

test("without an Active object there is no configuration", async () => {
  await start(object("default"));
  await change(object("default", { generation: 2, spec: { state: "Suspended" } }));
  assert.deepEqual(events, ["default 5000 first", "none"]);
  assert.deepEqual([loop.origin, source.selectedBy], [undefined, []]);
});

test("an invalid object is reported once, and the previous configuration stays active", async () => {
  await start(object("default"));
  const bad = object("default", { generation: 2, spec: { collection: { onMissing: "Guess" } } });
  await change(bad);
  await change(bad);
  assert.deepEqual(events, [
    "default 5000 first",
    "InvalidConfig: default: spec.collection.onMissing: must be `Zero` or `Omit`",
  ]);
  assert.equal(loop.origin?.observedGeneration, 1);
  assert.equal(loop.fault?.reason, "InvalidConfig");
  await change(object("default", { generation: 3 }));
  assert.equal(loop.fault, undefined);
  assert.equal(events.length, 2, "the configuration is what it was");
});

/** Asserts that a Secret is read again after five minutes, and soon after a target rejected its value. */
async function assertSecretsAreRead(): Promise<void> {
  token = "second";
  await clock.advance(310_000);
  assert.equal(events.at(-1), "default 5000 second");
  token = "third";
  await clock.advance(20_000);
  loop.recheckSecrets();
  await clock.advance(5_000);
  assert.equal(events.at(-1), "default 5000 third");
}

test("a Secret that is rotated while the governing object cannot be read is used", async () => {
  await start(object("default"));
  await change(unreadable("default"));
  await assertSecretsAreRead();
  assert.deepEqual([loop.origin?.observedGeneration, loop.fault?.reason], [1, "InvalidConfig"]);
  assert.equal(events.filter((event) => event.startsWith("InvalidConfig")).length, 1);
});

test("a node keeps its configuration while another object governs it that cannot be read", async () => {
  await start(object("default"));
  await change(unreadable("better", { priority: 5 }));
  assert.deepEqual([loop.origin?.name, source.selectedBy], ["default", ["better", "default"]]);
  assert.match(loop.fault?.error.message ?? "", /^better: spec.collection.onMissing/);
});

test("an object that cannot be read does not bring back a configuration that was removed", async () => {
  await start(object("default"));
  await change(object("default", { generation: 2, spec: { state: "Suspended" } }));
  await change(unreadable("default"));
  assert.equal(events[1], "none");
  assert.deepEqual([loop.origin, loop.fault?.reason], [undefined, "InvalidConfig"]);
});

test("an agent that restarts while the governing object cannot be read collects with the last good one", async () => {
  const client = new FakeKubeClient(clock);
  const metadata = { name: "default", uid: "uid-default", generation: 2 };
  client.objects.put(resourcePath(TELEMETRY_CONFIGS), { metadata, spec: UNREADABLE });
  const data = { token: Buffer.from("first").toString("base64") };
  client.fault = ({ path }) => (path.endsWith("/secrets/s") ? { status: 200, body: { data } } : undefined);
  const watch = watchConfigs({
    client,
    node: new OwnNode(client, "node-1", clock),
    namespace: "telemetry",
    log: pino({ level: "silent" }),
    clock,
    random: () => 0,
  });
  watch.restore(object("default"));
  watch.objects.start();
  await watch.objects.synced;
  ({ loop } = watch);
  await start();
  assert.equal(events[0], "default 5000 first");
  assert.deepEqual([loop.origin?.observedGeneration, loop.fault?.reason], [1, "InvalidConfig"]);
  assert.equal(watch.source.lastGood?.generation, 1, "it is saved again for the next restart");
  await watch.objects.stop();
});

test("a target waits for its missing Secret, which is reported once", async () => {
  token = new TelemetryError("E_SECRET_NOT_FOUND", "the key `token` of the Secret `s` is not there");
  await start(object("default"));
  await clock.advance(60_000);
  assert.deepEqual(events, [
    "default 5000 ",
    "incomplete SecretNotFound: the key `token` of the Secret `s` is not there",
  ]);
  assert.ok(reads > 3);
  token = "second";
  await clock.advance(20_000);
  assert.equal(events.at(-1), "default 5000 second");
  assert.equal(loop.fault, undefined);
});

test("a target keeps the value of a Secret that is deleted, and the fault is reported", async () => {
  await start(object("default"));
  token = new TelemetryError("E_SECRET_NOT_FOUND", "the Secret `s` is gone");
  await clock.advance(320_000);
  assert.deepEqual(events, ["default 5000 first", "incomplete SecretNotFound: the Secret `s` is gone"]);
  assert.equal(loop.fault?.reason, "SecretNotFound");
});

test("a target gets no value that was read for another URL", async () => {
  await start(object("default"));
  token = new TelemetryError("E_SECRET_NOT_FOUND", "the Secret `s` is gone");
  const target = {
    name: "t",
    url: "https://elsewhere.example.com",
    v2: { org: "o", bucket: "b", tokenSecretRef: { name: "s" } },
  };
  await change(object("default", { generation: 2, spec: { targets: [target] } }));
  assert.equal(events[1], "default 5000 ");
});

test("a target without its Secret waits at a start at which the API server does not answer", async () => {
  token = new KubeError("E_KUBE_UNREACHABLE", "nothing listens there");
  await start(object("default"));
  assert.deepEqual(events, ["default 5000 ", "incomplete SecretNotFound: nothing listens there"]);
});

test("an API server that does not answer changes nothing", async () => {
  await start(object("default"));
  token = new KubeError("E_KUBE_UNREACHABLE", "nothing listens there");
  await clock.advance(320_000);
  assert.deepEqual(new Set(events.slice(1)), new Set(["E_KUBE_UNREACHABLE"]));
  assert.equal(loop.origin?.name, "default");
  assert.equal(loop.fault, undefined);
});

test("Secrets are read again every five minutes, and soon after a target rejected them", async () => {
  await start(object("default"));
  await assertSecretsAreRead();
  const before = reads;
  for (let second = 0; second < 9; second++) {
    loop.recheckSecrets();
    await clock.advance(1_000);
  }
  assert.ok(reads - before <= 2, "a target that keeps rejecting them does not flood the API server");
});

test("a replaced object of the same name is another object", async () => {
  await start(object("default"));
  await change(object("default", { uid: "uid-2" }));
  assert.deepEqual(events, ["default 5000 first", "default 5000 first"]);
  assert.equal(loop.origin?.uid, "uid-2");
});
