import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { RunningAgent, target1, target2 } from "./support/agent.ts";
import type { Row } from "./support/csv.ts";
import { Influxd1 } from "./support/influxd1.ts";
import { Influxd2 } from "./support/influxd2.ts";
import { LibvirtHost } from "./support/libvirt-host.ts";
import { bootWorkingGuest, WORK } from "./support/working-guest.ts";

const NIC_FIELDS: Readonly<Record<string, string>> = {
  rxbytes: "rx.bytes",
  rxpackets: "rx.pkts",
  rxerrors: "rx.errs",
  rxdrops: "rx.drop",
  txbytes: "tx.bytes",
  txpackets: "tx.pkts",
  txerrors: "tx.errs",
  txdrops: "tx.drop",
};
const DISK_FIELDS: Readonly<Record<string, string>> = {
  rd_req: "rd.reqs",
  rd_bytes: "rd.bytes",
  wr_reqs: "wr.reqs",
  wr_bytes: "wr.bytes",
};
const MEMORY_FIELDS: Readonly<Record<string, string>> = {
  memactual: "current",
  memavailable: "available",
  memusable: "usable",
  memswap_in: "swap_in",
  memswap_out: "swap_out",
  memmajor_fault: "major_fault",
  memminor_fault: "minor_fault",
  memdisk_cache: "disk_caches",
};

const resources = new AsyncDisposableStack();
let host: LibvirtHost;
let tap: string;
let uuid: string;
let expected: ReadonlyMap<string, string>;
/** QEMU uses CPU and memory even while the guest is paused, so a stored value lies between two readings. */
let afterwards: ReadonlyMap<string, string>;
/** Server -> the points of a measurement of the working guest. */
const servers = new Map<string, (measurement: string) => Promise<Row[]>>();

before(async () => {
  const influx1 = resources.use(await Influxd1.start());
  const influx2 = resources.use(await Influxd2.start());
  host = resources.use(await LibvirtHost.start({ cgroups: true }));
  ({ tap } = await bootWorkingGuest(host, "worker"));
  await host.createGuest("idle", { disks: [], taps: [await host.createTap(), await host.createTap()] });
  // A paused guest's counters do not change, so they can be compared exactly.
  await host.virsh("suspend", "worker");
  uuid = (await host.virsh("domuuid", "worker")).trim();
  expected = await host.domstats("worker");
  const agent = resources.use(
    await RunningAgent.start({
      targets: target1(influx1) + target2(influx2),
      // Enough time for a cycle on a busy machine: a late one would be incomplete.
      interval: "2s",
      spec: "    families: [Metrics, Features, Devices, Totals, Vcpus]\n    schedules: []",
      sockets: [host.socket],
      secrets: { influx2: { token: `${influx2.token}\n` } },
      args: ["--cycles", "3", "--node-name", "node-1"],
    }),
  );
  assert.equal(await agent.exit(), 0, JSON.stringify(agent.log, null, 1));
  afterwards = await host.domstats("worker");
  servers.set("InfluxDB 1", (measurement) => influx1.query(`SELECT * FROM ${measurement} WHERE "name" = 'worker'`));
  servers.set("InfluxDB 2", async (measurement) =>
    (await influx2.points(measurement)).filter(({ name }) => name === "worker"),
  );
});

after(() => resources.disposeAsync());

for (const server of ["InfluxDB 1", "InfluxDB 2"]) {
  const points = async (measurement: string): Promise<Row[]> => (await servers.get(server)?.(measurement)) ?? [];

  test(`${server} has vm_metrics as virsh shows them, with the documented tags`, async () => {
    const rows = await points("vm_metrics");
    assert.equal(rows.length, 3);
    for (const row of rows) {
      assert.equal(row["state"], "paused");
      assert.equal(row["cpu_count"], expected.get("vcpu.current"));
      assert.equal(row["memory_max_kb"], expected.get("balloon.maximum"));
      assert.equal(row["memory_used_kb"], expected.get("balloon.current"));
      assertBetween(row["cputime_ns"], "cpu.time");
      assert.deepEqual([row["VMID"], row["uuid"], row["node"]], ["1", uuid, "node-1"]);
    }
  });

  test(`${server} has the devices as virsh and the guest's work show, without the CD-ROM`, async () => {
    const rows = await points("vm_devices");
    assert.deepEqual([...new Set(rows.map(({ device }) => device))].sort(), [tap, "vda", "vdb"].sort());
    assert.equal(rows.length, 9);
    for (const row of rows) {
      const nic = row["devtype"] === "nic";
      const prefix = nic ? "net.0" : row["device"] === "vda" ? "block.0" : "block.1";
      for (const [field, source] of Object.entries(nic ? NIC_FIELDS : DISK_FIELDS)) {
        assert.equal(row[field], expected.get(`${prefix}.${source}`), `${row["device"]} ${field}`);
      }
      if (!nic) assert.equal(row["errors"], "0");
    }
    const of = (device: string): Row => rows.find((row) => row["device"] === device) ?? {};
    assert.equal(of("vda")["wr_reqs"], String(WORK.writeRequests));
    assert.equal(of("vda")["wr_bytes"], String(WORK.writeBytes));
    // The guest's kernel reads partitions before its work.
    assert.ok(Number(of("vdb")["rd_req"]) >= WORK.readRequests);
    assert.ok(Number(of("vdb")["rd_bytes"]) >= WORK.readBytes);
    assert.ok(Number(of(tap)["txpackets"]) >= WORK.pings, "the pings");
    assert.ok(Number(of(tap)["rxpackets"]) >= WORK.pings, "their answers");
  });

  test(`${server} has vm_totals: memory and CPU as virsh shows them, sums of the devices`, async () => {
    const rows = await points("vm_totals");
    const devices = await points("vm_devices");
    assert.equal(rows.length, 3);
    for (const row of rows) {
      for (const [field, source] of Object.entries(MEMORY_FIELDS))
        assert.equal(row[field], expected.get(`balloon.${source}`), field);
      assertBetween(row["memrss"], "balloon.rss");
      assertBetween(row["cputime"], "cpu.time");
      assertBetween(row["timeusr"], "cpu.user");
      assertBetween(row["timesys"], "cpu.system");
      assert.deepEqual([row["cpus"], row["state"]], ["1", "3"]);
      const same = devices.filter(({ time }) => time === row["time"]);
      const sum = (field: string): string =>
        String(same.reduce((total, device) => total + BigInt(device[field] || 0), 0n));
      for (const field of Object.keys(NIC_FIELDS)) assert.equal(row[`net_${field}`], sum(field), field);
      for (const field of [...Object.keys(DISK_FIELDS), "errors"])
        assert.equal(row[`disk_${field}`], sum(field), field);
    }
  });

  test(`${server} has vm_features from the second cycle on`, async () => {
    const rows = await points("vm_features");
    assert.equal(rows.length, 2);
    // A paused guest's memory does not change.
    for (const row of rows) {
      assert.equal(Number(row["memory_rate_kb_per_sec"]), 0);
      assert.ok(Math.abs(Number(row["memory_angle_deg"])) < 1e-9);
    }
  });

  test(`${server} has vm_vcpus as virsh shows them`, async () => {
    const rows = await points("vm_vcpus");
    assert.equal(rows.length, 3);
    for (const row of rows) {
      assert.deepEqual([row["vcpu"], row["state"]], ["0", expected.get("vcpu.0.state")]);
      assertBetween(row["time_ns"], "vcpu.0.time");
      assertBetween(row["wait_ns"], "vcpu.0.wait");
      assertBetween(row["delay_ns"], "vcpu.0.delay");
      assert.match(row["cpu"] ?? "", /^\d+$/);
    }
  });
}

function assertBetween(value: string | undefined, field: string): void {
  const found = Number(value ?? "none");
  const [first, last] = [Number(expected.get(field)), Number(afterwards.get(field))];
  assert.ok(found >= Math.min(first, last) && found <= Math.max(first, last), `${field}: ${value}, ${first}, ${last}`);
}
