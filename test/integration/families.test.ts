import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { RunningAgent, target1, target2 } from "./support/agent.ts";
import type { Row } from "./support/csv.ts";
import { Influxd1 } from "./support/influxd1.ts";
import { Influxd2 } from "./support/influxd2.ts";
import { LibvirtHost } from "./support/libvirt-host.ts";
import { until } from "./support/process.ts";
import { bootWorkingGuest } from "./support/working-guest.ts";

const FAMILIES = "Metrics, Devices, Totals, Disks, Memory, Status, Cpu, Vcpus, Info, Node, Agent, Raw";
const RAW_GROUPS = ["State", "Balloon", "Vcpu", "Block", "Iothread", "Vm"];

const resources = new AsyncDisposableStack();
let host: LibvirtHost;
/** `virsh` about the guest while it is paused, before and after the last rows: QEMU's own numbers can still change. */
let first: ReadonlyMap<string, string>;
let last: ReadonlyMap<string, string>;
/** `virsh` about the node, before and after the last rows. */
let nodes: readonly (readonly [memory: ReadonlyMap<string, string>, cpu: ReadonlyMap<string, string>])[];
const begunS = Math.floor(Date.now() / 1000);
/** Server -> the points of a measurement, in the order of their times. */
const servers = new Map<string, (measurement: string) => Promise<readonly Row[]>>();

/** Returns `name: value` lines of virsh. */
async function virshTable(...args: string[]): Promise<ReadonlyMap<string, string>> {
  const lines = (await host.virsh(...args)).matchAll(/^([^:\n]+?)\s*:\s*(\S+).*$/gm);
  return new Map([...lines].map(([, name = "", value = ""]) => [name, value]));
}

async function nodeTables(): Promise<(typeof nodes)[number]> {
  return [
    new Map([...(await virshTable("nodeinfo")), ...(await virshTable("nodememstats"))]),
    await virshTable("nodecpustats"),
  ];
}

before(async () => {
  const influx1 = resources.use(await Influxd1.start());
  const influx2 = resources.use(await Influxd2.start());
  host = resources.use(await LibvirtHost.start({ cgroups: true }));
  const agent = resources.use(
    await RunningAgent.start({
      targets: target1(influx1) + target2(influx2),
      interval: "1s",
      spec: `    families: [${FAMILIES}]\n    schedules: [{families: [Vcpus], interval: 2s}, {families: [Info], interval: 1h}]\n    raw: {groups: [${RAW_GROUPS.join(", ")}]}`,
      sockets: [host.socket],
      secrets: { influx2: { token: `${influx2.token}\n` } },
      args: ["--node-name", "node-1"],
    }),
  );
  const of1 = (measurement: string): Promise<Row[]> => influx1.query(`SELECT * FROM ${measurement}`);
  servers.set("InfluxDB 1", async (measurement) => (await of1(measurement)).sort(byTime));
  servers.set("InfluxDB 2", async (measurement) => (await influx2.points(measurement)).sort(byTime));
  await until(async () => (await of1("vm_agent")).length > 0 || undefined, "the first cycle");
  // The agent observes the guest's start and its work.
  await bootWorkingGuest(host, "worker");
  await host.virsh("suspend", "worker");
  nodes = [await nodeTables()];
  first = await host.domstats("worker");
  const rows = (await of1("vm_status")).length;
  await until(async () => (await of1("vm_status")).length >= rows + 4 || undefined, "more cycles", 60_000);
  assert.equal(await agent.stop(), 0, JSON.stringify(agent.log, null, 1));
  last = await host.domstats("worker");
  nodes = [...nodes, await nodeTables()];
});

after(() => resources.disposeAsync());

function byTime({ time: a = "" }: Row, { time: b = "" }: Row): number {
  return a < b ? -1 : 1;
}

for (const server of ["InfluxDB 1", "InfluxDB 2"]) {
  const points = async (measurement: string): Promise<readonly Row[]> =>
    (await servers.get(server)?.(measurement)) ?? [];
  const lastRow = async (measurement: string, of: (row: Row) => boolean = () => true): Promise<Row> =>
    (await points(measurement)).findLast(of) ?? {};

  test(`${server} has vm_disks as virsh shows them`, async () => {
    for (const [index, device] of ["vda", "vdb"].entries()) {
      const row = await lastRow("vm_disks", (one) => one["device"] === device);
      const stat = (name: string): string => first.get(`block.${index}.${name}`) ?? "none";
      for (const [field, name] of [
        ["rd_ns", "rd.times"],
        ["wr_ns", "wr.times"],
        ["fl_reqs", "fl.reqs"],
        ["fl_ns", "fl.times"],
        ["capacity_bytes", "capacity"],
        ["allocation_bytes", "allocation"],
        ["physical_bytes", "physical"],
      ] as const)
        assert.equal(row[field], stat(name), `${device} ${field}`);
      assert.equal(Number(row["fill_percent"]), (Number(stat("allocation")) / Number(stat("capacity"))) * 100);
      assert.equal(row["rd_latency_us"] ?? "", "", "a paused guest makes no requests");
    }
  });

  test(`${server} has the latency of the guest's work: the time of its requests by their number`, async () => {
    for (const [device, latency, time, requests] of [
      ["vda", "wr_latency_us", "wr_ns", "wr_reqs"],
      ["vdb", "rd_latency_us", "rd_ns", "rd_req"],
    ] as const) {
      const of = (row: Row): boolean => row["device"] === device;
      const disks = (await points("vm_disks")).filter(of);
      const counts = (await points("vm_devices")).filter(of);
      const found = disks.flatMap((row, at) => {
        const before = disks[at - 1];
        const grown = (rows: readonly Row[], key: string): number => {
          const value = (time_: string | undefined): number => Number(rows.find((one) => one["time"] === time_)?.[key]);
          return value(row["time"]) - value(before?.["time"]);
        };
        const value = row[latency] ?? "";
        return value === "" ? [] : [[Number(value), grown(disks, time) / grown(counts, requests) / 1000] as const];
      });
      assert.ok(found.length > 0, `${device} has worked`);
      for (const [value, expected] of found) assert.ok(Math.abs(value - expected) < 1e-6 * expected, `${value}`);
    }
  });

  test(`${server} has vm_memory as virsh shows it, with its differences`, async () => {
    const row = await lastRow("vm_memory");
    const balloon = (name: string): number => Number(first.get(`balloon.${name}`));
    assert.deepEqual(
      ["unused_kb", "last_update_s", "hugetlb_pgalloc", "hugetlb_pgfail"].map((field) => Number(row[field])),
      ["unused", "last-update", "hugetlb_pgalloc", "hugetlb_pgfail"].map(balloon),
    );
    const used = balloon("available") - balloon("usable");
    assert.deepEqual(
      [Number(row["used_kb"]), Number(row["ballooned_kb"])],
      [used, balloon("maximum") - balloon("current")],
    );
    assert.equal(Number(row["used_percent"]), (used / balloon("available")) * 100);
    assertBetween(Number(row["overhead_kb"]) + balloon("current"), "balloon.rss");
    const age = Number(row["guest_stats_age_s"]);
    assert.ok(age >= 0 && age <= Date.now() / 1000 - balloon("last-update"), String(age));
  });

  test(`${server} has vm_status: why the guest is paused, and when it has started`, async () => {
    const row = await lastRow("vm_status");
    assert.deepEqual([row["reason"], row["reason_code"]], ["user", first.get("state.reason")]);
    assert.deepEqual([row["stuck"], row["control"], row["control_ms"]], ["0", "ok", "0"]);
    const started = Number(row["started_s"]);
    assert.ok(started >= begunS && started <= Date.now() / 1000, String(started));
    assert.ok(Number(row["uptime_s"]) > 0);
    const booted = (await points("vm_status")).map(({ reason }) => reason);
    assert.ok(booted.includes("booted"), booted.join());
  });

  test(`${server} has vm_cpu: the growth of the CPU time, and the sums of the vCPU`, async () => {
    const rows = await points("vm_cpu");
    const metrics = await points("vm_metrics");
    const cputime = (time: string | undefined): number =>
      Number(metrics.find((row) => row["time"] === time)?.["cputime_ns"]);
    const working = rows.slice(1).filter((row) => Number(row["usage_percent"] ?? "") > 5);
    assert.ok(working.length > 0, "the guest has booted");
    for (const row of working) {
      const before = rows[rows.indexOf(row) - 1];
      const seconds = seconds_(row) - seconds_(before);
      const expected = ((cputime(row["time"]) - cputime(before?.["time"])) / (seconds * 1e9)) * 100;
      // Time stamps are those of the bulk call, which comes some milliseconds after the CPU time.
      assert.ok(
        Math.abs(Number(row["usage_percent"]) - expected) < 0.2 * expected,
        `${row["usage_percent"]} ${expected}`,
      );
      assert.equal(row["usage_of_vcpus_percent"], row["usage_percent"], "it has one vCPU");
    }
    const row = rows.findLast((one) => (one["steal_ns"] ?? "") !== "") ?? {};
    assertBetween(Number(row["steal_ns"]), "vcpu.0.delay");
    assertBetween(Number(row["wait_ns"]), "vcpu.0.wait");
    assert.equal(row["vcpus_max"], first.get("vcpu.maximum"));
    const scheduled = await points("vm_vcpus");
    assert.ok(scheduled.length <= rows.length / 2 + 1, "vm_vcpus has every second cycle");
  });

  test(`${server} has vm_info, vm_disk_info and vm_nic_info as virsh shows them`, async () => {
    const xml = await host.virsh("dumpxml", "worker");
    const attribute = (pattern: RegExp): string => pattern.exec(xml)?.[1] ?? "none";
    const row = await lastRow("vm_info");
    assert.deepEqual(
      [row["machine"], row["arch"], row["firmware"]],
      [attribute(/machine='([^']*)'/), attribute(/ arch='([^']*)'/), "bios"],
    );
    const tableOf = async (...args: readonly string[]): Promise<string[][]> => {
      const rows = (await host.virsh(...args, "worker")).split("\n").map((line) => line.trim().split(/ {2,}/));
      return rows.filter(({ length }) => length > 1);
    };
    const drives = await tableOf("domblklist", "--details");
    const nics = await tableOf("domiflist");
    assert.deepEqual(
      [row["disks"], row["nics"]],
      [String(drives.filter(([, kind]) => kind === "disk").length), String(nics.length)],
    );
    for (const [, kind = "", device = ""] of drives) {
      const drive = await lastRow("vm_disk_info", (one) => one["device"] === device);
      assert.deepEqual([drive["kind"], drive["bus"], drive["format"] ?? ""], [kind, ...busAndFormat(xml, device)]);
    }
    for (const [device = "", kind, source = "", model, mac] of nics) {
      const nic = await lastRow("vm_nic_info", (one) => one["device"] === device);
      assert.deepEqual([nic["kind"], nic["model"], nic["mac"]], [kind, model, mac]);
      assert.equal(nic["source"] ?? "", source === "-" ? "" : source);
      assert.match(await host.virsh("domif-getlink", "worker", device), new RegExp(` ${nic["link"]}\\b`));
    }
    assert.ok((await points("vm_info")).length <= 2, "it is written once, and after a change");
  });

  test(`${server} has vm_raw: what virsh domstats shows beyond the other families`, async () => {
    const rows = await points("vm_raw");
    const of = (group: string, index = ""): Row =>
      rows.findLast((one) => one["group"] === group && (one["index"] ?? "") === index) ?? {};
    for (const [index, device] of ["vda", "vdb"].entries()) {
      const row = of("Block", String(index));
      assert.deepEqual([row["name_"], row["path"]], [device, first.get(`block.${index}.path`)]);
      assert.equal(row["backingIndex"], first.get(`block.${index}.backingIndex`));
      for (const claimed of ["rd_times", "rd_reqs", "capacity"]) assert.equal(row[claimed] ?? "", "", claimed);
    }
    assert.equal(of("Block")["count"], first.get("block.count"));
    assert.equal(of("Vcpu")["current"] ?? "", "", "vm_metrics has the number of vCPUs");
    for (const group of ["State", "Balloon"]) assert.deepEqual(of(group), {}, `${group} is in other families`);
  });

  test(`${server} has vm_node as virsh shows the node, and vm_agent`, async () => {
    const row = await lastRow("vm_node");
    assert.deepEqual([row["node"], row["vms"], row["vms_paused"], row["vms_running"]], ["node-1", "1", "1", "0"]);
    assert.equal(row["cpus"], nodes[0]?.[0].get("CPU(s)"));
    assert.equal(row["memory_kb"], nodes[0]?.[0].get("total"));
    assert.equal(row["memory_max_kb"], first.get("balloon.maximum"));
    for (const [field, name] of [
      ["cpu_user_ns", "user"],
      ["cpu_kernel_ns", "system"],
      ["cpu_idle_ns", "idle"],
      ["cpu_iowait_ns", "iowait"],
    ] as const) {
      const [low, high] = nodes.map(([, cpu]) => Number(cpu.get(name)));
      const value = Number(row[field]);
      assert.ok(value >= (low ?? Number.NaN) && value <= (high ?? Number.NaN), `${field}: ${low} ${value} ${high}`);
    }
    const versions = await host.virsh("version", "--daemon");
    assert.ok(versions.includes(`Running against daemon: ${row["libvirt_version"]}`), versions);
    assert.ok(versions.includes(`QEMU ${row["qemu_version"]}`), versions);
    const agent = await lastRow("vm_agent");
    assert.ok(Number(agent["rss_kb"]) > 10_000 && Number(agent["cycles"]) > 4 && Number(agent["cpu_ms"]) > 0);
  });
}

function seconds_(row: Row | undefined): number {
  const time = row?.["time"] ?? "";
  return /^\d+$/.test(time) ? Number(BigInt(time) / 1_000_000n) / 1000 : Date.parse(time) / 1000;
}

function assertBetween(value: number, field: string): void {
  const [low, high] = [Number(first.get(field)), Number(last.get(field))];
  assert.ok(value >= Math.min(low, high) && value <= Math.max(low, high), `${field}: ${value}, ${low}, ${high}`);
}

/** Returns the bus and the format of a drive in a domain's XML; an empty format for a drive without one. */
function busAndFormat(xml: string, device: string): readonly (string | undefined)[] {
  const before = xml.slice(0, xml.indexOf(`<target dev='${device}'`));
  const disk = xml.slice(before.lastIndexOf("<disk "));
  const [element = ""] = /^[^]*?<\/disk>/.exec(disk) ?? [];
  return [/ bus='(\w+)'\/>/.exec(element)?.[1], /<driver.* type='(\w+)'/.exec(element)?.[1] ?? ""];
}
