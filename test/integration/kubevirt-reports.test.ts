import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { FakeInflux } from "../support/fake-influx.ts";
import { EmulatedNode } from "./support/emulated-node.ts";
import type { KubeCluster } from "./support/kube.ts";
import { until } from "./support/process.ts";
import { applyConfig } from "./support/telemetry-config.ts";
import { API, NAMESPACE, startTelemetryCluster } from "./support/telemetry-cluster.ts";

// What the agents of many nodes report. A report is written within a minute of a start or of a change of configuration,
// and half a minute after anything else: the nodes are waited for together.

const REPORTED_MS = 120_000;

interface NodeCase {
  readonly pool?: string;
  readonly identity?: "launcher" | "root without capabilities" | "stranger";
  readonly vm?: boolean;
  /** Ready, Config, Domains, Targets, Reason as `kubectl get nt` shows them. */
  readonly columns: string;
}

const NODES: Readonly<Record<string, NodeCase>> = {
  good: { vm: true, columns: "True default 1 1/1 AsExpected" },
  empty: { columns: "True default 0 1/1 NoDomains" },
  idle: { pool: "none", vm: true, columns: "False <none> 0 0/0 NoConfig" },
  denied: { identity: "root without capabilities", vm: true, columns: "False default 0 1/1 SocketDenied" },
  stranger: { identity: "stranger", columns: "False default 0 1/1 SocketDenied" },
  locked: { pool: "locked", vm: true, columns: "False locked 1 0/1 TargetUnauthorized" },
  secret: { pool: "secret", columns: "False <none> 0 0/0 SecretNotFound" },
  moving: { pool: "moving", vm: true, columns: "True moving 1 1/1 AsExpected" },
};

const resources = new AsyncDisposableStack();
let cluster: KubeCluster;
let influx: FakeInflux;
let moving: FakeInflux;
const nodes = new Map<string, EmulatedNode>();

before(async () => {
  influx = resources.use(await FakeInflux.start({ version: "v2", authorization: "Token right" }));
  moving = resources.use(await FakeInflux.start({ version: "v2" }));
  cluster = resources.use(await startTelemetryCluster({ controllers: true }));
  const stringData = { token: "right", wrong: "wrong" };
  await cluster.call("POST", `/api/v1/namespaces/${NAMESPACE}/secrets`, {
    body: { apiVersion: "v1", kind: "Secret", metadata: { name: "influxdb" }, stringData },
  });
  const target = ({ url }: FakeInflux, secret: object = {}): { readonly targets: readonly object[] } => {
    const v2 = { org: "o", bucket: "b", tokenSecretRef: { name: "influxdb", ...secret } };
    return { targets: [{ name: "main", url, tls: { mode: "Plaintext" }, v2 }] };
  };
  const pool = (name: string): object => ({ priority: 1, nodeSelector: { matchLabels: { pool: name } } });
  const others = { matchExpressions: [{ key: "pool", operator: "NotIn", values: ["none"] }] };
  await applyConfig(cluster, "default", { ...target(influx), nodeSelector: others });
  await applyConfig(cluster, "locked", { ...target(influx, { key: "wrong" }), ...pool("locked") });
  await applyConfig(cluster, "secret", { ...target(influx, { name: "not-named" }), ...pool("secret") });
  await applyConfig(cluster, "moving", { ...target(moving), ...pool("moving") });
  for (const [name, { pool: value, identity = "launcher", vm }] of Object.entries(NODES)) {
    const node = resources.use(await EmulatedNode.create(cluster, name, value === undefined ? {} : { pool: value }));
    if (vm) await node.startVm({ namespace: "prod", name: `vm-on-${name}`, paused: true });
    nodes.set(name, node);
    await node.startAgent({ identity });
  }
});
after(() => resources.disposeAsync());

interface Report {
  readonly conditions: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason: string;
    readonly message: string;
  }[];
  readonly config?: { readonly name: string };
  readonly libvirt: { readonly domains: number };
  readonly targetSummary: string;
}

async function reportOf(name: string): Promise<Report | undefined> {
  return (await cluster.request("GET", `${API}/nodetelemetries/${name}`)).body.status as Report | undefined;
}

/** Resolves when the report of a node says this. */
async function reported(name: string, columns: string): Promise<void> {
  let last: string | undefined;
  const asked = until(
    async () => {
      const { conditions = [], config, libvirt, targetSummary } = (await reportOf(name)) ?? {};
      const ready = conditions.find(({ type }) => type === "Ready");
      last = [ready?.status, config?.name ?? "<none>", libvirt?.domains, targetSummary, ready?.reason].join(" ");
      return last === columns || undefined;
    },
    `the report of ${name} to be ${columns}`,
    REPORTED_MS,
  );
  await asked.catch((error: unknown) => {
    throw new Error(`it is ${last ?? ""}`, { cause: error });
  });
}

test("kubectl get nt shows of every node how it is doing", async () => {
  for (const [name, { columns }] of Object.entries(NODES)) await reported(name, columns);
  const [header = "", ...rows] = (await cluster.kubectl("get", "nt")).trim().split("\n");
  assert.deepEqual(header.split(/\s+/), ["NAME", "READY", "CONFIG", "DOMAINS", "TARGETS", "REASON", "AGE"]);
  // An empty cell is only to be seen by its place.
  const starts = [...header.matchAll(/\S+/g)].map(({ index }) => index);
  const shown = rows.map((row) => {
    const cells = starts.map((start, index) => row.slice(start, starts[index + 1]).trim() || "<none>");
    return [cells[0], cells.slice(1, -1).join(" ")];
  });
  assert.deepEqual(
    Object.fromEntries(shown),
    Object.fromEntries(Object.entries(NODES).map(([name, { columns }]) => [name, columns])),
  );
});

test("what is wrong is in the message of its condition, with what to look at", async () => {
  for (const [name, type, wanted] of [
    ["denied", "LibvirtReachable", /^\/mnt\/[-0-9a-f]+\/volumes\/[^ ]*: this process may not use the socket/],
    ["stranger", "LibvirtReachable", /^EACCES: permission denied, scandir '\/mnt'/],
    ["locked", "TargetsDelivering", /^main: /],
    ["secret", "ConfigApplied", /the key `token` of the Secret `not-named` .* the agent's Role must name it/],
    ["idle", "Ready", /no Active TelemetryConfig selects this node/],
  ] as const)
    assert.match((await reportOf(name))?.conditions.find((one) => one.type === type)?.message ?? "", wanted);
});

describe("later", { concurrency: true }, () => {
  test("a target that goes away shows in the report", async () => {
    moving.fault = { kind: "status", status: 503 };
    await reported("moving", "False moving 1 0/1 TargetUnreachable");
  });

  test("the report goes with its Node, and is made anew for a Node that comes back", async () => {
    const path = `${API}/nodetelemetries/empty`;
    await cluster.kubectl("delete", "node", "empty");
    await until(
      async () => (await cluster.request("GET", path)).status === 404 || undefined,
      "the report to be collected",
    );
    await cluster.call("POST", "/api/v1/nodes", {
      body: { apiVersion: "v1", kind: "Node", metadata: { name: "empty" } },
    });
    await nodes.get("empty")?.startVm({ namespace: "prod", name: "late", paused: true });
    await reported("empty", "True default 1 1/1 AsExpected");
    const { metadata } = await cluster.call("GET", "/api/v1/nodes/empty");
    const report = await cluster.call("GET", path);
    assert.equal(report.metadata.ownerReferences?.[0]?.uid, metadata.uid);
  });
});
