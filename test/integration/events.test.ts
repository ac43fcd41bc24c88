import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { RunningAgent, target1, type AgentConfig } from "./support/agent.ts";
import { diskXml } from "./support/guest-xml.ts";
import { Influxd1 } from "./support/influxd1.ts";
import { LibvirtHost } from "./support/libvirt-host.ts";
import { portScript } from "./support/port-program.ts";
import { end, run, until } from "./support/process.ts";
import { createScriptGuest } from "./support/script-guest.ts";

// What happens to real guests, as the agent writes it and as `virsh event` shows it.

const MIB = 1024 * 1024;
const resources = new AsyncDisposableStack();
let influx: Influxd1;
let host: LibvirtHost;
let agent: RunningAgent;
/** A file system that is smaller than the disk image on it. */
let small: string;
/** The lines of `virsh event`. */
let seen = "";

/** Returns `event detail device` of each line of a VM, in the order of their times. */
async function events(vm: string): Promise<string[]> {
  const rows = await influx.query(`SELECT * FROM vm_events WHERE "name" = '${vm}'`);
  return rows.map(({ event, detail = "", device = "" }) => [event, detail, device].filter(Boolean).join(" "));
}

/** Waits until a VM has an event. */
async function hasEvent(vm: string, event: string): Promise<void> {
  await until(async () => (await events(vm)).includes(event) || undefined, `${vm}: ${event}`, 90_000).catch(
    async (error: unknown) => assert.fail(`${String(error)}; it has ${(await events(vm)).join(", ")}\n${seen}`),
  );
}

before(async () => {
  small = await mkdtemp(path.join(tmpdir(), "small-"));
  await run("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", small);
  resources.defer(async () => {
    await run("umount", "--lazy", small);
    await run("rmdir", small);
  });
  influx = resources.use(await Influxd1.start());
  host = resources.use(await LibvirtHost.start());
  const watch = spawn("virsh", ["-q", "-c", host.uri, "event", "--all", "--loop"]);
  watch.stdout.on("data", (chunk: Buffer) => (seen += chunk.toString()));
  resources.defer(() => end(watch));
  // The next cycle comes after the test: the lines of events come without one.
  agent = resources.use(await RunningAgent.start({ ...config("10m"), sockets: [host.socket] }));
  await agent.logged(({ msg }) => msg === "cycle", "a cycle");
});

function config(interval: string): AgentConfig {
  const targets = target1(influx, "      flush: {interval: 100ms}\n");
  return { targets, interval, spec: "    families: [Metrics, Events]" };
}

after(() => resources.disposeAsync());

test("a guest that fills its disk and powers off has each event, with its disk", async () => {
  await run("truncate", "--size", String(2 * MIB), path.join(small, "full.raw"));
  const guest = await createScriptGuest(
    host,
    "worker",
    `dd if=/dev/zero of=/dev/vda bs=64k seek=16 count=16 oflag=direct
dd if=/dev/zero of=/dev/vdb bs=64k count=16 oflag=direct`,
    { disks: [path.join(small, "full.raw")] },
  );
  await hasEvent("worker", "lifecycle started-booted");
  await host.virsh("domblkthreshold", "worker", "vda", String(MIB));
  await host.virsh("resume", "worker");
  await hasEvent("worker", "io-error paused-enospc virtio-disk1");
  await hasEvent("worker", "lifecycle suspended-io-error");
  const copy = path.join(host.dir, "disks", "copy.raw");
  await host.virsh("blockcopy", "worker", "vda", copy, "--format", "raw", "--wait", "--pivot", "--transient-job");
  await hasEvent("worker", "job-completed copy-completed vda");
  await guest.setScript("poweroff -f");
  await run("cp", path.join(host.dir, "disks", "worker-script.raw"), copy);
  await host.virsh("reset", "worker");
  await host.virsh("resume", "worker");
  await hasEvent("worker", "lifecycle stopped-shutdown");
  assert.ok((await events("worker")).includes("reboot"));
  // QEMU reports one or two resets for one of a guest with a kernel of its own.
  const found = (await events("worker")).filter((event) => event !== "reboot");
  assert.deepEqual(found, [
    "lifecycle started-booted",
    "lifecycle suspended-paused",
    "lifecycle resumed-unpaused",
    "block-threshold 1048576 bytes vda",
    "io-error paused-enospc virtio-disk1",
    "lifecycle suspended-io-error",
    "job-completed copy-completed vda",
    "lifecycle resumed-unpaused",
    "lifecycle shutdown-guest",
    "lifecycle stopped-shutdown",
  ]);
});

test("a guest that panics has its crash and its end", async () => {
  await createScriptGuest(host, "panics", "echo c > /proc/sysrq-trigger", { devices: "<panic model='isa'/>" });
  await host.virsh("resume", "panics");
  await hasEvent("panics", "lifecycle stopped-crashed");
  const found = await events("panics");
  assert.deepEqual(found.slice(-2), ["lifecycle crashed-panicked", "lifecycle stopped-crashed"]);
});

test("a watchdog that the guest starts and does not reset is an event with its action", async () => {
  // The timer of an ib700 needs no driver: a byte to this port starts it, here with two seconds.
  const start = portScript(0x443, 0x0e);
  await createScriptGuest(host, "watched", start, { devices: "<watchdog model='ib700' action='pause'/>" });
  await host.virsh("resume", "watched");
  await hasEvent("watched", "watchdog pause");
  await hasEvent("watched", "lifecycle suspended-watchdog");
});

test("a guest agent that connects and disconnects is an event each", async () => {
  const channel = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>";
  await createScriptGuest(host, "agent", "cat /dev/vport* & sleep 5; kill $!", { devices: channel });
  await host.virsh("resume", "agent");
  await hasEvent("agent", "agent connected");
  await hasEvent("agent", "agent disconnected");
});

test("a plugged and unplugged device, and a killed QEMU, are events", async () => {
  const guest = await createScriptGuest(host, "victim", "echo READY");
  await host.virsh("resume", "victim");
  await until(async () => (await guest.console()).includes("READY") || undefined, "the guest to boot", 90_000);
  await host.attach("victim", diskXml(await host.createDisk("plug", MIB), "vdb", "ua-plug"));
  await hasEvent("victim", "device-added plug");
  await host.detach("victim", "ua-plug");
  await hasEvent("victim", "device-removed plug");
  process.kill(await host.qemuPid("victim"), "SIGKILL");
  await hasEvent("victim", "lifecycle stopped-failed");
});

test("the lines are the events that virsh has seen, and a new connection brings none twice", async () => {
  await host.createGuest("stays", { paused: false });
  await hasEvent("stays", "lifecycle started-booted");
  for (const vm of ["worker", "panics", "watched", "agent", "victim", "stays"]) {
    const written = await events(vm);
    for (const [ours, theirs] of [
      ["lifecycle", "lifecycle"],
      ["reboot", "reboot"],
      ["watchdog", "watchdog"],
      ["agent", "agent-lifecycle"],
      ["io-error", "io-error-reason"],
      ["device-added", "device-added"],
      ["device-removed", "device-removed"],
    ] as const) {
      const shown = [...seen.matchAll(new RegExp(`^event '${theirs}' for domain '${vm}'`, "gm"))];
      const lines = written.filter((event) => event.split(" ")[0] === ours);
      assert.equal(lines.length, shown.length, `${vm} ${ours}: ${written.join(", ")}\n${seen}`);
    }
  }
  const before = await events("stays");
  await agent.writeConfig(config("1s"));
  const newCycle = async (): Promise<void> => {
    const cycles = async (): Promise<number> => (await influx.query("SELECT state FROM vm_metrics")).length;
    const known = await cycles();
    await until(async () => (await cycles()) > known || undefined, "a cycle");
  };
  await newCycle();
  await host.stopDaemon();
  await host.startDaemon();
  await newCycle();
  assert.deepEqual(await events("stays"), before);
  await host.virsh("suspend", "stays");
  await hasEvent("stays", "lifecycle suspended-paused");
  await newCycle();
  assert.deepEqual(await events("stays"), [...before, "lifecycle suspended-paused"]);
});
