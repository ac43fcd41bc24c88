import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { FakeInflux } from "../support/fake-influx.ts";
import { ControllerProcess } from "./support/controller.ts";
import { EmulatedNode } from "./support/emulated-node.ts";
import type { KubeCluster } from "./support/kube.ts";
import type { Launcher } from "./support/launcher.ts";
import { until } from "./support/process.ts";
import { applyConfig } from "./support/telemetry-config.ts";
import { API, NAMESPACE, startTelemetryCluster } from "./support/telemetry-cluster.ts";

// The reports of many nodes' agents, and the controller's summary of them. A report is written within a minute after a start
// or a change of configuration, and half a minute after any other change. So the tests wait for all nodes together.

const REPORTED_MS = 120_000;

interface NodeCase {
  /** The TelemetryConfig that governs the node, if it is not `default`. */
  readonly pool?: string;
  readonly identity?: "launcher" | "root without capabilities" | "stranger";
  readonly vm?: boolean;
  /** Ready, Config, Domains, Targets, Reason. */
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
  secret: { pool: "secret", columns: "False secret 0 0/1 SecretNotFound" },
};
/** Nodes whose reports change. */
const CHANGING: Readonly<Record<string, NodeCase>> = {
  moving: { pool: "moving", vm: true, columns: "True moving 1 1/1 AsExpected" },
  hanging: { pool: "hanging", vm: true, columns: "True hanging 1 1/1 AsExpected" },
  leaving: { columns: "True default 0 1/1 NoDomains" },
};

/** Priority, Interval, Targets, Ready, Nodes of the TelemetryConfigs of NODES, without those of changing nodes. */
const CONFIGS: Readonly<Record<string, string>> = {
  locked: "1 1s 1 False 0/1",
  secret: "1 1s 1 False 0/1",
};

const TITLES: Readonly<Record<string, string>> = {
  telemetryconfig: "NAME PRIORITY INTERVAL TARGETS READY NODES AGE",
  nodetelemetry: "NAME READY CONFIG DOMAINS TARGETS REASON AGE",
};

const resources = new AsyncDisposableStack();
let cluster: KubeCluster;
let influx: FakeInflux;
let moving: FakeInflux;
let hanging: Launcher;
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
  await applyConfig(cluster, "hanging", { ...target(influx), ...pool("hanging") });
  resources.use(await ControllerProcess.start(cluster, "controller"));
  for (const [name, { pool: value, identity = "launcher", vm }] of Object.entries({ ...NODES, ...CHANGING })) {
    const node = resources.use(await EmulatedNode.create(cluster, name, value === undefined ? {} : { pool: value }));
    const launcher = vm && (await node.startVm({ namespace: "prod", name: `vm-on-${name}`, paused: true }));
    if (name === "unresponsive" && launcher) await launcher.markUnresponsive();
    if (name === "hanging" && launcher) hanging = launcher;
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

/** Resolves when the report of a node has these columns. */
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
  test("kubectl get tcfg,nt shows the state of every node and object", async () => {
    for (const [name, { columns }] of Object.entries(NODES)) await reported(name, columns);
    await shown(async (rows) => {
      for (const [name, { columns }] of Object.entries(NODES))
        assert.equal(rows.get(`nodetelemetry/${name}`)?.cells, columns, name);
      for (const [name, columns] of Object.entries(CONFIGS))
        assert.equal(rows.get(`telemetryconfig/${name}`)?.cells, columns, name);
      const governed = [...rows.values()].filter(({ cells }) => / default \d+ \d\/\d /.test(cells));
      const ready = governed.filter(({ cells }) => cells.startsWith("True "));
      const nodes = `${ready.length}/${governed.length}`;
      assert.equal(rows.get("telemetryconfig/default")?.cells, `0 1s 1 False ${nodes}`);
      for (const [name, { ageS }] of rows) {
        const [kind = "", object = ""] = name.split("/");
        const path = kind === "nodetelemetry" ? "nodetelemetries" : "telemetryconfigs";
        const { creationTimestamp } = (await cluster.call("GET", `${API}/${path}/${object}`)).metadata;
        const ageNowS = (Date.now() - Date.parse(creationTimestamp)) / 1_000;
        assert.ok(ageS <= ageNowS && ageS > ageNowS - 60, `${name}: ${ageS}, ${ageNowS}`);
      }
    });
  });

  const FAULTS_WITH_RECOVERY: readonly (readonly [
    what: string,
    node: string,
    down: string,
    act: (up: boolean) => void,
  ])[] = [
    [
      "a target fails and recovers",
      "moving",
      "False moving 1 0/1 TargetUnreachable",
      (up) => {
        moving.fault = up ? undefined : { kind: "status", status: 503 };
      },
    ],
    [
      "the daemon of a launcher hangs and recovers",
      "hanging",
      "False hanging 0 1/1 EndpointTimeout",
      (up) => {
        if (up) hanging.thawDaemon();
        else hanging.freezeDaemon();
      },
    ],
  ];
  for (const [what, name, down, act] of FAULTS_WITH_RECOVERY)
    test(`every column of kubectl get tcfg,nt is correct when ${what}`, async () => {
      const show = async (config: string, node: string): Promise<void> => {
        await reported(name, node);
        await shown((rows) => {
          assert.equal(rows.get(`nodetelemetry/${name}`)?.cells, node);
          assert.equal(rows.get(`telemetryconfig/${name}`)?.cells, config);
        });
      };
      const up = CHANGING[name]?.columns ?? "";
      await show("1 1s 1 True 1/1", up);
      act(false);
      await show("1 1s 1 False 0/1", down);
      act(true);
      await show("1 1s 1 True 1/1", up);
    });

  for (const [name, type, wanted] of [
    ["denied", "LibvirtReachable", /^\/mnt\/[-0-9a-f]+\/volumes\/[^ ]*: no permission to use the socket/],
    ["stranger", "LibvirtReachable", /^EACCES: permission denied, scandir '\/mnt'/],
    ["unresponsive", "LibvirtReachable", /^\/mnt\/[-0-9a-f]+: virt-handler marked it as unresponsive/],
    ["locked", "TargetsDelivering", /^main: /],
    ["secret", "ConfigApplied", /the key `token` of the Secret `not-named` .* the agent's Role must name it/],
    ["idle", "Ready", /no Active TelemetryConfig selects this node/],
  ] as const)
    test(`the message of a condition names the fault: ${name}`, async () => {
      await reported(name, NODES[name]?.columns ?? "");
      assert.match((await reportOf(name))?.conditions.find((one) => one.type === type)?.message ?? "", wanted);
    });

  test("the report is deleted with its Node, and written again when the Node returns", async () => {
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

interface Row {
  /** The cells without the name and the age. */
  readonly cells: string;
  readonly ageS: number;
}

/** Waits until the rows of `kubectl get tcfg,nt` pass: `nodetelemetry/NAME` and `telemetryconfig/NAME` -> row. */
async function shown(isRight: (rows: ReadonlyMap<string, Row>) => void | Promise<void>): Promise<void> {
  await until(async () => {
    const tables = (await cluster.kubectl("get", "tcfg,nt")).trim().split("\n\n");
    await isRight(new Map(tables.flatMap(rowsOf)));
    return true;
  }, "kubectl get tcfg,nt to show the truth");
}

/** Returns the rows of one table. Only its position shows an empty cell. */
function rowsOf(table: string): readonly (readonly [string, Row])[] {
  const [header = "", ...lines] = table.split("\n");
  const starts = [...header.matchAll(/\S+/g)].map(({ index }) => index);
  return lines.map((line) => {
    const [name = "", ...cells] = starts.map((start, index) => line.slice(start, starts[index + 1]).trim() || "<none>");
    const [kind = "", object] = name.split(/\.kubevirt-telemetry\.io\//);
    assert.equal(header.trim().split(/\s+/).join(" "), TITLES[kind]);
    return [`${kind}/${object ?? ""}`, { cells: cells.slice(0, -1).join(" "), ageS: seconds(cells.at(-1) ?? "") }];
  });
}

/** Returns the seconds of an age as kubectl prints it: `90s`, `2m30s`, `11m`. */
function seconds(age: string): number {
  const [, minutes = 0, rest = 0] = /^(?:(\d+)m)?(?:(\d+)s)?$/.exec(age) ?? [];
  return 60 * Number(minutes) + Number(rest);
}
