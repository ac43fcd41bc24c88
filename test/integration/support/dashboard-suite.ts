import assert from "node:assert/strict";
import { cpus, totalmem } from "node:os";
import { test } from "node:test";
import { CHART } from "../../../scripts/helm.ts";
import { PLAIN_PREFIX, type DashboardData } from "./dashboard-data.ts";
import type { AnswerRow, LanguageId, Server } from "./dashboard-servers.ts";
import {
  askedBy,
  interpolate,
  panelsOf,
  readDashboard,
  type Choices,
  type GrafanaDashboard,
  type GrafanaPanel,
} from "./grafana.ts";
import { LAB, LAB_VMS } from "./lab-lines.ts";
import type { SimulatedNode } from "./simulated-node.ts";

const SUBJECTS = ["node", "vm", "fleet"] as const;
type Subject = (typeof SUBJECTS)[number];
const CHOICES: Choices = {
  prefix: "",
  bucket: "telemetry",
  node: "node-1",
  namespace: "shop",
  vm: "web.1",
  top: "3",
};
const ALL: Choices = { ...CHOICES, namespace: ".*", node: ["node-1", "node-2"] };

/** Variable -> its values with these choices. */
const OFFERED: Readonly<Record<string, readonly string[]>> = {
  bucket: ["telemetry"],
  node: ["node-1", "node-2"],
  namespace: ["lab", "shop"],
  vm: ["cache", "db", "web.1"],
};

function dashboard(subject: Subject, language: LanguageId): GrafanaDashboard {
  return readDashboard(`${CHART}/dashboards/${language}/${subject}.json`);
}

function choicesOf(subject: Subject): Choices {
  return subject === "fleet" ? ALL : CHOICES;
}

/** Returns the query of one target of a panel, by its position. */
function queryOf(panel: GrafanaPanel, index: number): string {
  const target = panel.targets?.[index];
  assert.ok(target, panel.title);
  return askedBy(target);
}

/** Returns the last panel of a title, or the one of a type. */
function panelOf(subject: Subject, language: LanguageId, title: string, type?: string): GrafanaPanel {
  const found = panelsOf(dashboard(subject, language)).findLast(
    (panel) => panel.title === title && (type === undefined || panel.type === type),
  );
  assert.ok(found, title);
  return found;
}

function values(rows: readonly AnswerRow[]): number[] {
  return rows.flatMap(({ value }) => (typeof value === "number" && Number.isFinite(value) ? value : []));
}

/** Start of a bucket in seconds since the start of the lab; InfluxDB returns rows without a value for empty buckets. */
function byBucket(rows: readonly AnswerRow[], fromMs: number): Record<number, number> {
  return Object.fromEntries(
    rows.flatMap(({ time, value }) =>
      typeof value === "number" ? [[(Number(time) - fromMs) / 1000, Number(value.toFixed(6))]] : [],
    ),
  );
}

function has(row: AnswerRow, tags: AnswerRow): boolean {
  return Object.entries(tags).every(([tag, value]) => row[tag] === value);
}

const WEB = "shop_web.1";
const DISK_BYTES = ["block.0.rd.bytes", "block.0.wr.bytes", "block.1.rd.bytes", "block.1.wr.bytes"];
const DISK_REQUESTS = ["block.0.rd.reqs", "block.0.wr.reqs", "block.1.rd.reqs", "block.1.wr.reqs"];
const NIC_BYTES = ["net.0.rx.bytes", "net.0.tx.bytes", "net.1.rx.bytes", "net.1.tx.bytes"];
const ON_FIRST = [WEB, "shop_db", "lab_batch"];

/** Expected averages from the simulator's counters, over the buckets of the rows with these tags. */
const NUMBERS: readonly (readonly [
  subject: Subject,
  title: string,
  index: number,
  tags: AnswerRow,
  expected: (...nodes: DashboardData["nodes"]) => number,
])[] = [
  ["node", "CPU in use, by VM", 0, { namespace: "shop", name: "web.1" }, (first) => first.rate(WEB, "cpu.time") / 1e9],
  [
    "node",
    "CPU, of the VM's vCPUs",
    0,
    { name: "web.1" },
    (first) => first.rate(WEB, "cpu.time") / 1e7 / first.vcpus(WEB),
  ],
  ["node", "VMs, most at once", 0, {}, () => ON_FIRST.length],
  ["node", "vCPUs, most at once", 0, {}, (first) => sum(ON_FIRST.map((vm) => first.vcpus(vm)))],
  ["node", "Disk traffic", 0, {}, (first) => sum(ON_FIRST.map((vm) => first.rate(vm, ...DISK_BYTES)))],
  ["node", "Network traffic", 0, {}, (first) => sum(ON_FIRST.map((vm) => first.rate(vm, ...NIC_BYTES)))],
  ["node", "Requests, by VM", 0, { name: "web.1" }, (first) => first.rate(WEB, ...DISK_REQUESTS)],
  ["vm", "CPU time", 1, {}, (first) => first.rate(WEB, "cpu.user") / 1e9],
  ["vm", "State, by node", 0, { node: "node-1" }, () => 1],
  ["vm", "vCPUs", 0, {}, (first) => first.vcpus(WEB)],
  ["vm", "Memory", 0, {}, (first) => first.value(WEB, "balloon.maximum") * 1024],
  ["vm", "Page faults", 1, {}, (first) => first.rate(WEB, "balloon.minor_fault")],
  ["vm", "Disk traffic", 0, { device: "vdb", volume: "volume-vdb" }, (first) => first.rate(WEB, "block.1.rd.bytes")],
  [
    "vm",
    "Network traffic",
    1,
    { device: "vnet1", network: "network-vnet1" },
    (first) => first.rate(WEB, "net.1.tx.bytes"),
  ],
  ["vm", "Steal time, by vCPU", 0, { vcpu: "0" }, (first) => first.rate(WEB, "vcpu.0.delay") / 1e7],
  ["vm", "Read latency", 0, { device: "vdb", volume: "volume-vdb" }, () => 500],
  ["vm", "Write latency", 0, { device: "vda", volume: "volume-vda" }, () => 600],
  [
    "vm",
    "Requests in progress",
    0,
    { device: "vda" },
    (first) => first.rate(WEB, "block.0.rd.times", "block.0.wr.times") / 1e9,
  ],
  ["vm", "Fill level", 0, { device: "vda" }, (first) => fill(first, 0)],
  ["vm", "Memory in use", 0, {}, (first) => used(first)],
  ["vm", "QEMU is stuck", 0, {}, () => 0],
  ["node", "Steal time, by VM", 0, { name: "web.1" }, (first) => steal(first, WEB)],
  ["node", "Steal time of the node's VMs", 0, {}, (first) => meanSteal(first, ON_FIRST)],
  ["node", "Read latency", 0, { name: "web.1" }, () => 375],
  ["node", "vCPUs for each CPU", 0, {}, (first) => sum(ON_FIRST.map((vm) => first.vcpus(vm))) / cpus().length],
  [
    "node",
    "Memory promised to VMs",
    0,
    {},
    (first) => (100 * sum(ON_FIRST.map((vm) => first.value(vm, "balloon.maximum"))) * 1024) / totalmem(),
  ],
  ["fleet", "Steal time, by node", 0, { node: "node-2" }, (_, second) => steal(second, "shop_cache")],
  ["fleet", "VMs, by node", 0, { node: "node-1" }, () => ON_FIRST.length],
  ["fleet", "VMs, most at once", 0, {}, () => ON_FIRST.length + 1],
  ["fleet", "CPU in use, by node", 0, { node: "node-2" }, (_, second) => second.rate("shop_cache", "cpu.time") / 1e9],
];

/** Returns the steal time of each vCPU, in percent. */
function stealOfEach(node: SimulatedNode, vm: string): readonly number[] {
  return Array.from({ length: node.vcpus(vm) }, (_, vcpu) => node.rate(vm, `vcpu.${vcpu}.delay`) / 1e7);
}

function steal(node: SimulatedNode, vm: string): number {
  return mean(stealOfEach(node, vm));
}

function meanSteal(node: SimulatedNode, vms: readonly string[]): number {
  return mean(vms.flatMap((vm) => stealOfEach(node, vm)));
}

function fill(node: SimulatedNode, disk: number): number {
  return (100 * node.value(WEB, `block.${disk}.allocation`)) / node.value(WEB, `block.${disk}.capacity`);
}

function used(node: SimulatedNode): number {
  const available = node.value(WEB, "balloon.available");
  return (100 * (available - node.value(WEB, "balloon.usable"))) / available;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

function mean(numbers: readonly number[]): number {
  return sum(numbers) / numbers.length;
}

function assertNear(found: number, expected: number, what: string): void {
  assert.ok(Math.abs(found - expected) <= 0.05 * expected, `${what}: ${found} where ${expected} should be`);
}

/** Runs every query of the dashboards on a server, and compares the answers with the written data. */
export function dashboardSuite(
  name: string,
  language: LanguageId,
  filled: () => { readonly server: Server; readonly data: DashboardData },
): void {
  for (const subject of SUBJECTS) {
    test(`${name}: every query of the ${subject} dashboard has values`, async () => {
      for (const panel of panelsOf(dashboard(subject, language))) {
        if (panel.title === "Paused VMs") continue;
        for (const index of (panel.targets ?? []).keys()) {
          const query = interpolate(queryOf(panel, index), choicesOf(subject));
          const rows = await filled().server.ask(query, filled().data.shown);
          const found = values(rows).length > 0 || rows.some(({ value }) => typeof value === "string");
          assert.ok(found, `${panel.title}, ${index}: ${JSON.stringify(rows)}`);
        }
      }
    });

    test(`${name}: the variables of the ${subject} dashboard offer the existing values`, async () => {
      for (const { name: variable, type, query } of dashboard(subject, language).templating.list) {
        if (type !== "query") continue;
        const rows = await filled().server.ask(interpolate(query, choicesOf(subject)), filled().data.shown);
        const found = rows.map((row) => row["value"] ?? Object.values(row)[0]).sort();
        assert.deepEqual(found, OFFERED[variable], variable);
      }
    });
  }

  test(`${name}: the numbers match the simulated counters`, async () => {
    for (const [subject, title, index, tags, expected] of NUMBERS) {
      const query = interpolate(queryOf(panelOf(subject, language, title), index), choicesOf(subject));
      const rows = await filled().server.ask(query, filled().data.shown);
      // In the first and last bucket an agent may have had no cycle.
      const inner = values(rows.filter((row) => has(row, tags))).slice(1, -1);
      assertNear(mean(inner), expected(...filled().data.nodes), `${title}, ${index}`);
    }
  });

  test(`${name}: a table has the VMs with the highest values, in order`, async () => {
    const query = interpolate(queryOf(panelOf("fleet", language, "CPU in use"), 0), ALL);
    const rows = await filled().server.ask(query, filled().data.shown);
    const rates = filled().data.nodes.flatMap((node) =>
      node.vms.map((vm) => ({ vm, cores: node.rate(vm, "cpu.time") / 1e9 })),
    );
    const greatest = rates.sort((a, b) => b.cores - a.cores).slice(0, Number(ALL["top"]));
    assert.deepEqual(
      rows.map((row) => `${row["namespace"]}_${row["name"]}`),
      greatest.map(({ vm }) => vm),
    );
    for (const [place, { vm, cores }] of greatest.entries()) assertNear(Number(rows[place]?.["value"]), cores, vm);
  });

  test(`${name}: a table of disks has a row for each disk`, async () => {
    const query = interpolate(queryOf(panelOf("fleet", language, "Read latency"), 0), { ...ALL, top: "20" });
    const rows = await filled().server.ask(query, filled().data.shown);
    assert.equal(rows.length, 2 * (ON_FIRST.length + 1));
    const vdb = rows.filter((row) => has(row, { name: "web.1", device: "vdb" }));
    assertNear(mean(values(vdb)), 500, JSON.stringify(rows));
  });

  test(`${name}: the paused VMs are those whose last sample is paused`, async () => {
    const choices = { ...ALL, prefix: LAB.prefix, node: ".*" };
    const query = interpolate(queryOf(panelOf("fleet", language, "Paused VMs"), 0), choices);
    const rows = await filled().server.ask(query, filled().data.labShown);
    assert.deepEqual(
      rows.map((row) => [row["namespace"], row["name"], row["value"]]),
      [["lab", "moved", "io-error"]],
    );
  });

  const lab = async (panel: GrafanaPanel, choices: Choices): Promise<Record<number, number>> => {
    const query = interpolate(queryOf(panel, 0), { ...CHOICES, prefix: LAB.prefix, ...choices });
    const { server, data } = filled();
    return byBucket(await server.ask(query, data.labShown), data.labShown.fromMs);
  };
  const buckets = Array.from({ length: LAB.seconds / LAB.bucketS }, (_, index) => index * LAB.bucketS);
  /** The same value in all buckets, except those without the VM. */
  const steady = (value: number, unseen: number | null = value): Record<number, number> =>
    Object.fromEntries(
      buckets
        .map((bucket) => [bucket, bucket === 40 || bucket === 60 ? unseen : value] as const)
        .filter((entry): entry is readonly [number, number] => entry[1] !== null),
    );

  test(`${name}: a VM's numbers are right over a migration, a restart and a gap`, async () => {
    for (const { name: vm, cores } of LAB_VMS) {
      const found = await lab(panelOf("vm", language, "CPU, of its vCPUs"), { namespace: "lab", vm });
      const percent = (cores / 2) * 100;
      assert.deepEqual(found, vm === "unseen" ? steady(percent, null) : steady(percent), vm);
    }
  });

  if (language !== "sql")
    test(`${name}: VMs without a namespace are shown too`, async () => {
      const all = { prefix: PLAIN_PREFIX, node: ".*" };
      const panel = panelOf("vm", language, "CPU, of its vCPUs");
      assert.deepEqual(await lab(panel, { ...all, namespace: "", vm: "moved" }), steady(25));
      const table = interpolate(queryOf(panelOf("fleet", language, "CPU, of its vCPUs"), 0), { ...ALL, ...all });
      const rows = await filled().server.ask(table, filled().data.labShown);
      assert.deepEqual(
        rows.map((row) => row["name"]),
        ["unseen", "moved", "restarted"],
      );
    });

  test(`${name}: a VM that migrates is not counted twice in a sum`, async () => {
    const all = { namespace: "lab", node: ".*" };
    assert.deepEqual(await lab(panelOf("fleet", language, "CPU in use", "stat"), all), steady(1.5, 0.75));
    assert.deepEqual(await lab(panelOf("fleet", language, "VMs, most at once"), all), steady(3, 2));
  });
}
