import assert from "node:assert/strict";
import { test } from "node:test";
import { CHART } from "../../../scripts/helm.ts";
import { PLAIN_PREFIX, type DashboardData } from "./dashboard-data.ts";
import { mean, NUMBERS, ON_FIRST, SUBJECTS, type Subject } from "./dashboard-numbers.ts";
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
import { LAB, LAB_READ, LAB_VMS } from "./lab-lines.ts";

/** What VictoriaMetrics has instead of the text: the state paused, and its reason. */
const IO_ERROR = 305;
const CHOICES: Choices = {
  prefix: "",
  bucket: "telemetry",
  db: ".*",
  node: "node-1",
  namespace: "shop",
  vm: "web.1",
  top: "3",
};
const ALL: Choices = { ...CHOICES, namespace: ".*", node: ["node-1", "node-2"] };

/** Variable -> its values with these choices. */
const OFFERED: Readonly<Record<string, readonly string[]>> = {
  bucket: ["telemetry"],
  db: ["telemetry"],
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
      [["lab", "moved", language === "promql" ? IO_ERROR : "io-error"]],
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

  test(`${name}: a disk that is unplugged is no traffic, although the total of the VM falls`, async () => {
    const found = await lab(panelOf("vm", language, "Disk traffic", "stat"), { namespace: "lab", vm: "moved" });
    assert.deepEqual(found, steady(LAB_READ));
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
