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
  /** Which TelemetryConfig governs it, where it is not `default`. */
  readonly pool?: string;
  readonly identity?: "launcher" | "root without capabilities" | "stranger";
  readonly vm?: boolean;
  /** Ready, Config, Domains, Targets, Reason as `kubectl get nt` shows them. */
  readonly columns: string;
}

const NODES: Readonly<Record<string, NodeCase>> = {
  good: { vm: true, columns: "True default 1 1/1 AsExpected" },
  empty: { columns: "True default 0 1/1 NoDomains" },
  unresponsive: { vm: true, columns: "False default 0 1/1 EndpointTimeout" },
  idle: { pool: "none", vm: true, columns: "False <none> 0 0/0 NoConfig" },
  denied: { identity: "root without capabilities", vm: true, columns: "False default 0 1/1 SocketDenied" },
  stranger: { identity: "stranger", columns: "False default 0 1/1 SocketDenied" },
  locked: { pool: "locked", vm: true, columns: "False locked 1 0/1 TargetUnauthorized" },
  secret: { pool: "secret", columns: "False <none> 0 0/0 SecretNotFound" },
};
/** Those whose reports change. */
const CHANGING: Readonly<Record<string, NodeCase>> = {
  moving: { pool: "moving", vm: true, columns: "True moving 1 1/1 AsExpected" },
  leaving: { columns: "True default 0 1/1 NoDomains" },
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
  for (const [name, { pool: value, identity = "launcher", vm }] of Object.entries({ ...NODES, ...CHANGING })) {
    const node = resources.use(await EmulatedNode.create(cluster, name, value === undefined ? {} : { pool: value }));
    const launcher = vm && (await node.startVm({ namespace: "prod", name: `vm-on-${name}`, paused: true }));
    if (name === "unresponsive" && launcher) await launcher.markUnresponsive();
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

describe("a minute later", { concurrency: true }, () => {
  test("kubectl get nt shows of every node how it is doing", async () => {
    for (const [name, { columns }] of Object.entries(NODES)) await reported(name, columns);
    const shown = table(await cluster.kubectl("get", "nt"));
    for (const [name, { columns }] of Object.entries(NODES)) assert.equal(shown.get(name), columns, name);
  });

  for (const [name, type, wanted] of [
    ["denied", "LibvirtReachable", /^\/mnt\/[-0-9a-f]+\/volumes\/[^ ]*: this process may not use the socket/],
    ["stranger", "LibvirtReachable", /^EACCES: permission denied, scandir '\/mnt'/],
    ["unresponsive", "LibvirtReachable", /^\/mnt\/[-0-9a-f]+: virt-handler has given it up/],
    ["locked", "TargetsDelivering", /^main: /],
    ["secret", "ConfigApplied", /the key `token` of the Secret `not-named` .* the agent's Role must name it/],
    ["idle", "Ready", /no Active TelemetryConfig selects this node/],
  ] as const)
    test(`the message of a condition says what is wrong: ${name}`, async () => {
      await reported(name, NODES[name]?.columns ?? "");
      assert.match((await reportOf(name))?.conditions.find((one) => one.type === type)?.message ?? "", wanted);
    });

  test("a target that goes away shows in the report", async () => {
    await reported("moving", CHANGING["moving"]?.columns ?? "");
    moving.fault = { kind: "status", status: 503 };
    await reported("moving", "False moving 1 0/1 TargetUnreachable");
  });

  test("the report goes with its Node, and is made anew for a Node that comes back", async () => {
    await reported("leaving", CHANGING["leaving"]?.columns ?? "");
    const path = `${API}/nodetelemetries/leaving`;
    await cluster.kubectl("delete", "node", "leaving");
    await until(
      async () => (await cluster.request("GET", path)).status === 404 || undefined,
      "the report to be collected",
    );
    const again = { apiVersion: "v1", kind: "Node", metadata: { name: "leaving" } };
    const { metadata } = await cluster.call("POST", "/api/v1/nodes", { body: again });
    await nodes.get("leaving")?.startVm({ namespace: "prod", name: "late", paused: true });
    await reported("leaving", "True default 1 1/1 AsExpected");
    const report = await cluster.call("GET", path);
    assert.equal(report.metadata.ownerReferences?.[0]?.uid, metadata.uid);
  });
});

/** Reads a table of kubectl without the column of ages: name -> the rest. An empty cell is only to be seen by its place. */
function table(text: string): ReadonlyMap<string, string> {
  const [header = "", ...rows] = text.trim().split("\n");
  assert.deepEqual(header.split(/\s+/), ["NAME", "READY", "CONFIG", "DOMAINS", "TARGETS", "REASON", "AGE"]);
  const starts = [...header.matchAll(/\S+/g)].map(({ index }) => index);
  return new Map(
    rows.map((row) => {
      const [name = "", ...cells] = starts.map((start, index) => row.slice(start, starts[index + 1]).trim());
      return [
        name,
        cells
          .slice(0, -1)
          .map((cell) => cell || "<none>")
          .join(" "),
      ];
    }),
  );
}
