import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import type { Point } from "../../scripts/demo/line-protocol-parser.ts";
import { kernelPath } from "../../scripts/provision/cache.ts";
import { FAMILY_NAMES, RAW_GROUP_NAMES } from "../../src/contract.ts";
import { claimedParameters } from "../../src/measurement/claimed-parameters.ts";
import { RunningAgent, target1 } from "./support/agent.ts";
import { COMPUTED, linesOf, type Observed } from "./support/computed-rows.ts";
import { LEFT_OUT, ROWS, SHOWN } from "./support/family-rows.ts";
import { LibvirtHost } from "./support/libvirt-host.ts";
import { end, run, until } from "./support/process.ts";
import { RecordingSink } from "./support/recording-sink.ts";
import { readViews, type Views } from "./support/virsh-views.ts";
import { guestInitrd } from "./support/working-guest.ts";

// Every field of the schema, of a real guest, against what virsh shows.

const MIB = 1024 * 1024;
const VM = "rows";
const MOVING = "moves";
const THRESHOLD = String(64 * 1024);
/** Documentation addresses, which no real network uses. */
const WORK = `ip link set eth0 up
ip addr add 198.51.100.2/30 dev eth0
for round in 1 2 3 4; do
  dd if=/dev/zero of=/dev/vda bs=4096 count=64 conv=fsync
  dd if=/dev/vdb of=/dev/null bs=4096 skip=$((64 * round)) count=64 iflag=direct
  ping -c 1 -W 1 198.51.100.1
done
echo WORK DONE
while true; do sleep 3600; done
`;
/** Writes more memory than a slow migration can send. */
const WRITES_MEMORY = `dd if=/dev/urandom of=/a bs=1M count=8
echo WORK DONE
while true; do cp /a /b; done
`;

const resources = new AsyncDisposableStack();
let host: LibvirtHost;
let sink: RecordingSink;
let observed: Observed;
/** The lines of `virsh event`. */
let seen = "";
/** What `virsh domjobinfo` has shown of the migration while it ran. */
const shownJobs: Views[] = [];

before(async () => {
  sink = resources.use(await RecordingSink.start());
  host = resources.use(await LibvirtHost.start({ cgroups: true }));
  const watch = spawn("virsh", ["-q", "-c", host.uri, "event", "--all", "--loop"]);
  watch.stdout.on("data", (chunk: Buffer) => (seen += chunk.toString()));
  resources.defer(() => end(watch));
  const agent = resources.use(
    await RunningAgent.start({
      targets: target1(sink, "      flush: {interval: 100ms}\n"),
      spec: `    families: [${FAMILY_NAMES.join(", ")}]
    schedules: [{families: [Vcpus], interval: 2s}]
    raw: {groups: [${RAW_GROUP_NAMES.join(", ")}]}`,
      sockets: [host.socket],
      args: ["--node-name", "node-1"],
    }),
  );
  await until(() => Promise.resolve(linesOf(sink.points, "vm_agent")[0]), "the first cycle");
  await bootGuest();
  observed = await observe(agent.pid);
  await migrate();
});

after(() => resources.disposeAsync());

/** Boots a guest that has a value for as many fields as possible; resolves when it has worked. */
async function bootGuest(): Promise<void> {
  const dir = path.join(host.dir, VM);
  const console = path.join(dir, "console");
  const bridge = `kb${process.pid % 46_656}`;
  await run("ip", "link", "add", bridge, "type", "bridge");
  resources.defer(() => run("ip", "link", "delete", bridge).then(() => undefined));
  const disks = await Promise.all(["a", "b"].map((name) => host.createDisk(`${VM}-${name}`, 4 * MIB)));
  await host.createGuest(VM, {
    ...{ memoryMiB: 96, vcpus: 2, cdrom: true, disks: [], cputune: "<vcpupin vcpu='0' cpuset='0'/>" },
    devices: `${disks
      .map(
        (file, index) => `<disk type='file' device='disk'>
  <driver name='qemu' type='raw' cache='writeback' discard='unmap'/><source file='${file}'/>
  <target dev='${["vda", "vdb"][index]}' bus='virtio'/><serial>serial-${index}</serial>
  <iotune><total_bytes_sec>1048576000</total_bytes_sec><total_iops_sec>100000</total_iops_sec></iotune>
</disk>`,
      )
      .join("")}
<interface type='bridge'><source bridge='${bridge}'/><model type='virtio'/><mtu size='1450'/></interface>`,
    boot: { kernel: kernelPath(), initrd: await guestInitrd(dir, WORK), console },
  });
  await host.virsh("domblkthreshold", VM, "vda", THRESHOLD);
  await host.virsh("resume", VM);
  await hasWorked(console);
}

async function hasWorked(console: string): Promise<void> {
  await until(
    async () => (await readFile(console, "utf8")).includes("WORK DONE") || undefined,
    "its work",
    120_000,
  ).catch(async () => assert.fail((await readFile(console, "utf8")).slice(-2_000)));
}

/** Takes memory from the guest, pauses it, and observes it for some cycles. */
async function observe(agentPid: number): Promise<Observed> {
  const kib = 80 * 1024;
  await host.virsh("setmem", VM, String(kib));
  const balloon = async (name: string): Promise<number> => Number((await host.domstats(VM)).get(`balloon.${name}`));
  await until(async () => (await balloon("current")) === kib || undefined, "the balloon");
  const told = await balloon("last-update");
  await until(async () => (await balloon("last-update")) > told || undefined, "the guest's numbers");
  await host.virsh("suspend", VM);
  const shown = await readViews(host, VM, agentPid);
  const known = linesOf(sink.points, "vm_vcpus").length;
  // Two vCPUs, in every second cycle.
  await until(() => Promise.resolve(linesOf(sink.points, "vm_vcpus").length >= known + 6 || undefined), "more cycles");
  const points = sink.points.toSorted((a, b) => Number(a.timestamp - b.timestamp));
  return { points, before: shown, after: await readViews(host, VM, agentPid) };
}

/** Migrates a guest to another daemon, slowly until the agent and virsh have shown that it is throttled. */
async function migrate(): Promise<void> {
  const destination = resources.use(await LibvirtHost.start());
  const dir = path.join(host.dir, MOVING);
  const console = path.join(dir, "console");
  const boot = { kernel: kernelPath(), initrd: await guestInitrd(dir, WRITES_MEMORY), console };
  await host.createGuest(MOVING, { paused: false, memoryMiB: 96, taps: [], disks: [], boot });
  await hasWorked(console);
  const socket = `unix://${path.join(destination.dir, "migration.sock")}`;
  const options = ["--live", "--p2p", "--unsafe", "--auto-converge", "--bandwidth", "4", "--migrateuri", socket];
  const migrated = host.virsh("migrate", ...options, MOVING, destination.uri);
  const throttled = until(
    async () => {
      const text = await host.virsh("domjobinfo", MOVING, "--rawstats");
      shownJobs.push(new Map([...text.matchAll(/^(\w+): *(.*)$/gm)].map(([, name = "", value = ""]) => [name, value])));
      return (
        linesOf(sink.points, "vm_jobs").filter(({ fields }) => fields.has("throttle_percent")).length > 2 || undefined
      );
    },
    "a throttled guest",
    120_000,
  );
  await Promise.race([throttled, migrated.then(() => throttled)]);
  await host.virsh("migrate-setspeed", MOVING, "1000");
  await migrated;
  await until(() => Promise.resolve(lastJob()), "the end of the migration");
  await until(() => Promise.resolve(completed().size > 0 || undefined), "virsh to show it");
}

function lastJob(): Point | undefined {
  return linesOf(sink.points, "vm_jobs").find(({ fields }) => fields.has("success"));
}

/** Returns what `virsh event` has shown of the end of the migration. */
function completed(): ReadonlyMap<string, string> {
  const [, text = ""] = /^event 'job-completed' for domain '\w+':\n((?:\t.*\n)+)/m.exec(seen) ?? [];
  return new Map([...text.matchAll(/^\t(\w+): *(.*)$/gm)].map(([, name = "", value = ""]) => [name, value]));
}

/** Field of vm_jobs -> libvirt's name. */
const JOB_FIELDS: Readonly<Record<string, string>> = {
  ...{ elapsed_ms: "time_elapsed", downtime_ms: "downtime", setup_ms: "setup_time", data_total_bytes: "data_total" },
  ...{ data_processed_bytes: "data_processed", data_remaining_bytes: "data_remaining" },
  ...{ memory_bytes_per_sec: "memory_bps", dirty_pages_per_sec: "memory_dirty_rate", iteration: "memory_iteration" },
};

const EVENTS_AND_JOBS: Readonly<Record<string, Readonly<Record<string, () => void>>>> = {
  vm_events: {
    detail: () => {
      const shown = [...seen.matchAll(new RegExp(`^event 'lifecycle' for domain '${VM}': (\\w+) (\\w+)`, "gm"))];
      const details = shown.map(([, type = "", detail = ""]) => `${type}-${detail}`.toLowerCase());
      assert.ok(details.includes("suspended-paused"), seen);
      assert.deepEqual(
        events("lifecycle").map(({ fields }) => fields.get("detail")),
        details,
      );
    },
    device: () => {
      const [threshold] = events("block-threshold");
      assert.match(seen, new RegExp(`^event 'block-threshold' for domain '${VM}': dev: vda.* ${THRESHOLD} `, "m"));
      assert.deepEqual(
        [threshold?.fields.get("device"), threshold?.fields.get("detail")],
        ["vda", `${THRESHOLD} bytes`],
      );
    },
    count: () => {
      const shown = seen.match(new RegExp(`^event 'balloon-change' for domain '${VM}'`, "gm")) ?? [];
      assert.ok(shown.length > 0, seen);
      const written = events("balloon").map(({ fields }) => Number(fields.get("count")));
      assert.equal(
        written.reduce((sum, count) => sum + count, 0),
        shown.length,
      );
    },
  },
  vm_jobs: {
    ...Object.fromEntries(
      Object.entries(JOB_FIELDS).map(([field, name]) => [
        field,
        () => {
          assert.match(completed().get(name) ?? "", /^\d+$/, seen);
          assert.equal(String(lastJob()?.fields.get(field)), completed().get(name));
        },
      ]),
    ),
    throttle_percent: () => {
      const shown = shownJobs.map((job) => Number(job.get("auto_converge_throttle") ?? 0));
      const written = linesOf(sink.points, "vm_jobs").flatMap(({ fields }) => fields.get("throttle_percent") ?? []);
      assert.ok(
        written.map(Number).some((value) => value > 0 && shown.includes(value)),
        `${written.join()} ${shown.join()}`,
      );
    },
    success: () => {
      assert.equal(lastJob()?.fields.get("success"), 1n);
      assert.equal(completed().get("operation"), "5", "outgoing migration");
    },
  },
};

function events(kind: string): readonly Point[] {
  return linesOf(sink.points, "vm_events").filter(({ tags }) => tags.get("name") === VM && tags.get("event") === kind);
}

/** Returns the last line of each series of the guest, or of the node. */
function lastLines(measurement: string): readonly Point[] {
  const series = Map.groupBy(linesOf(observed.points, measurement), ({ tags }) => JSON.stringify([...tags]));
  return [...series.values()].flatMap((lines) => lines.at(-1) ?? []);
}

function assertShown(measurement: string, field: string): void {
  const shown = SHOWN[measurement]?.[field];
  assert.ok(shown !== undefined, "nothing is known to compare it with");
  let found = 0;
  for (const { tags, fields } of lastLines(measurement)) {
    const part = tags.get("device") ?? tags.get("vcpu") ?? "";
    const low = shown(observed.before, part);
    const high = shown(observed.after, part);
    const value = fields.get(field);
    const what: string = `${part}: ${value}, virsh shows ${low} and ${high}`;
    if (value === undefined || low === undefined) assert.deepEqual([value, low], [undefined, undefined], what);
    else if (typeof value === "string") assert.deepEqual([low, high], [value, value], what);
    else {
      const limits = [Number(low), Number(high)];
      assert.ok(Number(value) >= Math.min(...limits) && Number(value) <= Math.max(...limits), what);
    }
    if (value !== undefined) found++;
  }
  assert.ok(found > 0, "no line has it");
}

for (const [measurement, field] of ROWS) {
  const leftOut = LEFT_OUT[measurement]?.[field];
  if (leftOut !== undefined)
    test(`${measurement} has no ${field} on a plain host: ${leftOut.reason}`, () => {
      assert.ok(linesOf(sink.points, measurement).every(({ fields }) => !fields.has(field)));
      if (leftOut.absent === undefined) return;
      const names = [observed.before, ...shownJobs, completed()].flatMap((views) => [...views.keys()]);
      for (const name of names) assert.doesNotMatch(name, leftOut.absent);
    });
  else
    test(`${measurement} has ${field} as virsh shows it`, () => {
      const check = COMPUTED[measurement]?.[field];
      const happened = EVENTS_AND_JOBS[measurement]?.[field];
      if (check !== undefined) check(observed);
      else if (happened !== undefined) happened();
      else assertShown(measurement, field);
    });
}

test("vm_raw has every other parameter that virsh shows, and no parameter of another family", () => {
  const claimed = claimedParameters(FAMILY_NAMES);
  const written = new Set<string>();
  for (const { tags, fields } of lastLines("vm_raw"))
    for (const [field, value] of fields) written.add([tags.get("group"), tags.get("index"), field, value].join(" "));
  let parameters = 0;
  for (const [key, value] of observed.before) {
    const [, name = ""] = /^domstats (.*)/.exec(key) ?? [];
    if (name === "" || claimed.has(name.replace(/\.\d+\./, ".N."))) continue;
    parameters++;
    const [, index = "", rest = ""] = /^[a-z]+\.(?:(\d+)\.)?(.+)$/.exec(name) ?? [];
    const field = rest.replace(/[^A-Za-z0-9_]/g, "_");
    const found = [...written].some((one) => one.includes(` ${index} ${field}`) && one.endsWith(` ${value}`));
    assert.ok(found || observed.after.get(key) !== value, `${name}=${value}: ${[...written].join("\n")}`);
  }
  assert.ok(parameters > 5, String(parameters));
  assert.equal(written.size, parameters);
});
