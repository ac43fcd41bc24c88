import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { parse } from "yaml";
import { parseLines } from "../../scripts/demo/line-protocol-parser.ts";
import { DIRECTORY } from "../../scripts/generate/vm-alerts/files.ts";
import { VM_ALERTS } from "../../scripts/generate/vm-alerts/rules.ts";
import { fluxServer, influxqlServer, sqlServer, type AnswerRow, type Server } from "./support/dashboard-servers.ts";
import { Datafusion } from "./support/datafusion.ts";
import { Influxd1 } from "./support/influxd1.ts";
import { Influxd2 } from "./support/influxd2.ts";

interface Rule {
  readonly title: string;
  readonly data: readonly [{ readonly model: { readonly query?: string; readonly rawSql?: string } }, ...unknown[]];
}
interface Rules {
  readonly groups: readonly [{ readonly rules: readonly Rule[] }];
}

/** A rule reads its own time, so the time shown has no effect. */
const SHOWN = { fromMs: 0, toMs: 0, intervalS: 1 };
const SAMPLES = 9;
const SAMPLE_S = 30;

/** What the lines of a VM say: at the limits, and above. */
const CALM = { steal: 0.1, fill: 90, used: 95, age: 120, reasons: ["io-error", "unpaused"] };
const ILL = { steal: 0.25, fill: 96, used: 99, age: 600, reasons: ["booted", "io-error"] };
const SHOP = "namespace=shop,node=a";
/** `bare` is the name of a VM on each of two plain hosts, without a namespace. */
const VMS = [
  { name: "calm", uuid: "u1", place: SHOP, ...CALM },
  { name: "ill", uuid: "u2", place: SHOP, ...ILL },
  { name: "bare", uuid: "u3", place: "node=a", ...ILL },
  { name: "bare", uuid: "u4", place: "node=b", ...CALM },
];

/** Returns the lines of the last minutes. A counter restarts, which is no rate. */
function lines(nowMs: number): string {
  const texts: string[] = [];
  for (const { name, uuid, place, steal, fill, used, age, reasons } of VMS)
    for (let sample = 0; sample < SAMPLES; sample++) {
      const seconds = sample * SAMPLE_S;
      const time = `${nowMs - (SAMPLES - sample) * SAMPLE_S * 1000}000000`;
      const tags = `VMID=1,name=${name},uuid=${uuid}`;
      const restarted = name === "ill" && sample === SAMPLES - 1 ? 0 : 1_000_000_000_000;
      const late = sample >= SAMPLES / 2;
      for (const [vcpu, part] of [0.5, 1.5].entries()) {
        const delay = Math.round(restarted + seconds * steal * part * 1e9);
        texts.push(`vm_vcpus,${tags},vcpu=${vcpu},${place} delay_ns=${delay}i ${time}`);
      }
      texts.push(
        `vm_disks,${tags},device=vda,${place} fill_percent=${late ? fill : 10} ${time}`,
        `vm_disks,${tags},device=vdb,${place} fill_percent=10 ${time}`,
        `vm_memory,${tags},${place} used_percent=${used},guest_stats_age_s=${late ? age : 0}i ${time}`,
        `vm_status,${tags},${place} reason="${reasons[late ? 1 : 0]}",reason_code=5i ${time}`,
      );
    }
  return `${texts.join("\n")}\n`;
}

const resources = new AsyncDisposableStack();
let influx2: Influxd2;
let servers: Readonly<Record<string, { readonly language: string; readonly server: Server }>>;

before(async () => {
  const influx1 = resources.use(await Influxd1.start());
  influx2 = resources.use(await Influxd2.start());
  const written = lines(Date.now());
  await Promise.all([influx1.write(written), influx2.write(written)]);
  const datafusion = resources.use(await Datafusion.start(parseLines(written)));
  const { url, bucket: database, token } = influx2;
  servers = {
    "InfluxDB 1 by InfluxQL": { language: "influxql", server: influxqlServer(influx1) },
    "InfluxDB 2 by InfluxQL": { language: "influxql", server: influxqlServer({ url, database, token }) },
    "InfluxDB 2 by Flux": { language: "flux", server: fluxServer(influx2) },
    "DataFusion by SQL": { language: "sql", server: sqlServer(datafusion) },
  };
});

after(() => resources.disposeAsync());

/** Returns the VMs for which a rule fires. */
function firing(rows: readonly AnswerRow[], over: number): readonly string[] {
  return rows.flatMap((row) => (Number(row["value"]) > over ? [nameOf(row)] : [])).sort();
}

/** Returns the VM with its UUID, and the disk if the row is of one. */
function nameOf({ namespace, name, uuid, device }: Readonly<Record<string, unknown>>): string {
  return [namespace, name, uuid, device].filter(Boolean).join("/");
}

function wanted(alert: string): readonly string[] {
  return ["bare/u3", "shop/ill/u2"].map((vm) => (alert === "KubevirtVmDiskFull" ? `${vm}/vda` : vm));
}

for (const name of ["InfluxDB 1 by InfluxQL", "InfluxDB 2 by InfluxQL", "InfluxDB 2 by Flux", "DataFusion by SQL"])
  test(`${name}: each rule of Grafana fires for the VM above its limit, not for another VM of its name`, async () => {
    const { language = "", server } = servers[name] ?? {};
    assert.ok(server);
    const { groups } = parse(readFileSync(`${DIRECTORY}/grafana-${language}.yaml`, "utf8")) as Rules;
    for (const { title, data } of groups[0].rules) {
      const { query, rawSql = query ?? "" } = data[0].model;
      const rows = await server.ask(rawSql, SHOWN);
      const over = VM_ALERTS.find(({ alert }) => alert === title)?.over ?? Number.NaN;
      assert.deepEqual(firing(rows, over), wanted(title), `${title}: ${JSON.stringify(rows)}`);
    }
  });

test("each task of InfluxDB 2 is accepted, and writes a status with its level for every VM", async () => {
  for (const { alert, severity } of VM_ALERTS) {
    const script = readFileSync(`${DIRECTORY}/${alert}.flux`, "utf8");
    await influx2.createTask(script);
    await influx2.flux(script);
    const statuses = await influx2.flux(
      `from(bucket: "_monitoring") |> range(start: -1h) |> filter(fn: (r) => r._check_name == "${alert}" and r._field == "_message")`,
    );
    const level = severity === "critical" ? "crit" : "warn";
    // The server may have run the task, too.
    const of = (wantedLevel: string): readonly string[] =>
      [...new Set(statuses.filter(({ _level }) => _level === wantedLevel).map(nameOf))].sort();
    assert.deepEqual(of(level), wanted(alert), JSON.stringify(statuses));
    assert.equal(of("ok").length, alert === "KubevirtVmDiskFull" ? 6 : 2, JSON.stringify(statuses));
    for (const { _level, _value = "" } of statuses)
      if (_level === level) assert.match(_value, /\b(?:shop\/ill|bare)\b/);
  }
});
