import assert from "node:assert/strict";
import { after, afterEach, before, mock, test } from "node:test";
import { LibvirtSource } from "../../src/collection/libvirt/libvirt-source.ts";
import type { DomainSample } from "../../src/collection/domain-sample.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { LibvirtClient } from "../../src/libvirt/client.ts";
import { encode, points } from "../support/encode.ts";
import { diskXml, nicXml } from "./support/guest-xml.ts";
import { LibvirtHost } from "./support/libvirt-host.ts";
import { bootWorkingGuest } from "./support/working-guest.ts";
import { BALLOON, CPU_TIMES, DEVICES } from "../../src/collection/stats-needs.ts";

const TTL_MS = 300_000;
const MINUTE_MS = 60_000;

/** The real clock plus an offset. */
let skippedMs = 0;
const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + skippedMs };

const resources = new AsyncDisposableStack();
const xmlCalls = mock.method(LibvirtClient.prototype, "domainXml");
let host: LibvirtHost;
let collector: LibvirtSource;

before(async () => {
  host = resources.use(await LibvirtHost.start());
  const settings = { timeoutMs: 10_000, deviceCacheTtlMs: TTL_MS, needs: [DEVICES, BALLOON, CPU_TIMES] };
  collector = resources.adopt(new LibvirtSource({ socket: host.socket }, settings, clock), (one) => {
    one.close();
  });
});

afterEach(async () => {
  for (const name of (await host.virsh("list", "--name")).split(/\s+/)) {
    if (name !== "") await host.virsh("destroy", name);
  }
});

after(async () => {
  xmlCalls.mock.restore();
  await resources.disposeAsync();
});

/** Resolves to the samples of one cycle: domain name -> sample. */
async function collect(): Promise<ReadonlyMap<string, DomainSample>> {
  xmlCalls.mock.resetCalls();
  const { outcome, samples, stuck, errors } = await collector.collect();
  assert.deepEqual({ outcome, stuck, errors }, { outcome: "collected", stuck: [], errors: [] });
  return new Map(samples.map((sample) => [sample.identity.name, sample]));
}

/** Names of the domains whose XML the last cycle has read. */
function asked(): string[] {
  return xmlCalls.mock.calls.map(({ arguments: [domain] }) => domain.name).sort();
}

/** The devices of a domain, each with whether libvirt had numbers for it. */
function devicesOf(samples: ReadonlyMap<string, DomainSample>, name: string): string[] {
  const { nics = [], disks = [] } = samples.get(name) ?? {};
  return [...nics.map((nic) => [nic.device, nic.rxBytes]), ...disks.map((disk) => [disk.device, disk.readBytes])].map(
    ([device, value]) => `${device} ${typeof value}`,
  );
}

test("the XML of a domain is read once, and again only after its time to live", async () => {
  await host.createGuest("one");
  await host.createGuest("two");
  await collect();
  assert.deepEqual(asked(), ["one", "two"]);
  await collect();
  assert.deepEqual(asked(), []);
  skippedMs += TTL_MS - MINUTE_MS;
  await collect();
  assert.deepEqual(asked(), [], "a minute before the end");
  skippedMs += MINUTE_MS;
  await collect();
  assert.deepEqual(asked(), ["one", "two"], "after it");
  await collect();
  assert.deepEqual(asked(), []);
});

test("a new domain costs only the read of its own XML", async () => {
  await host.createGuest("first");
  await collect();
  await host.createGuest("second");
  await collect();
  assert.deepEqual(asked(), ["second"]);
});

test("a plugged or unplugged device is noticed in the next cycle", async () => {
  const { tap } = await bootWorkingGuest(host, "plugged");
  const cold = [`${tap} bigint`, "vda bigint", "vdb bigint"];
  assert.deepEqual(devicesOf(await collect(), "plugged"), cold);
  const hotTap = await host.createTap();
  const hotDisk = await host.createDisk("hot", 1024 * 1024);
  const plugs = [
    { device: hotTap, alias: "ua-hot-nic", xml: nicXml(hotTap, "ua-hot-nic") },
    { device: "vdc", alias: "ua-hot-disk", xml: diskXml(hotDisk, "vdc", "ua-hot-disk") },
  ];
  for (const { device, alias, xml } of plugs) {
    await host.attach("plugged", xml);
    const plugged = await collect();
    assert.deepEqual(devicesOf(plugged, "plugged").sort(), [...cold, `${device} bigint`].sort());
    assert.deepEqual(asked(), ["plugged"]);
    await collect();
    assert.deepEqual(asked(), []);
    await host.detach("plugged", alias);
    assert.deepEqual(devicesOf(await collect(), "plugged"), cold);
    assert.deepEqual(asked(), ["plugged"]);
  }
});

test("a volume swapped for another on the same target has its own name in the next cycle", async () => {
  await bootWorkingGuest(host, "swapped");
  const [first, second] = [await host.createDisk("first", 1 << 20), await host.createDisk("second", 1 << 20)];
  const swap = async (alias: string, file: string, before?: string): Promise<unknown> => {
    if (before !== undefined) await host.detach("swapped", before);
    await host.attach("swapped", diskXml(file, "vdc", alias));
    return (await collect()).get("swapped")?.disks?.find(({ device }) => device === "vdc")?.volume;
  };
  assert.equal(await swap("ua-old", first), "old");
  assert.equal(await swap("ua-new", second, "ua-old"), "new");
  assert.equal(await swap("ua-same-file", second, "ua-new"), "same-file");
  await collect();
  assert.deepEqual(asked(), []);
});

test("a domain that is created again under its name and UUID has only its new devices", async () => {
  const uuid = "7d0b7f0e-6f0a-4c5b-9a51-3f6f1c2b7a10";
  const [oldTap, newTap] = [await host.createTap(), await host.createTap()];
  const disk = await host.createDisk("again", 1024 * 1024);
  await host.createGuest("again", { uuid, taps: [oldTap], disks: [disk, await host.createDisk("old", 1024 * 1024)] });
  const before = await collect();
  assert.deepEqual(devicesOf(before, "again"), [`${oldTap} bigint`, "vda bigint", "vdb bigint"]);
  await host.virsh("destroy", "again");
  await host.createGuest("again", { uuid, taps: [newTap], disks: [disk] });
  const after = await collect();
  assert.deepEqual(devicesOf(after, "again"), [`${newTap} bigint`, "vda bigint"]);
  assert.notEqual(after.get("again")?.identity.id, before.get("again")?.identity.id);
  assert.equal(after.get("again")?.previous, undefined, "no rate from the domain before");
});

test("a missing balloon value is 0 with Zero, and no field with Omit", async () => {
  await host.createGuest("bare", { balloon: false, taps: [], disks: [] });
  const bare = [...(await collect()).values()];
  const swapAndFaults = ["memswap_in", "memswap_out", "memmajor_fault", "memminor_fault"];
  const unknown = ["memavailable", "memusable", ...swapAndFaults, "memdisk_cache"];
  const [zero, omit] = (["Zero", "Omit"] as const).map((onMissing) => {
    assert.deepEqual(
      encode(bare, { onMissing }).missing,
      unknown.map((field) => `vm_totals.${field}`),
    );
    return points(bare, { onMissing }).find(({ measurement }) => measurement === "vm_totals")?.fields;
  });
  assert.ok(zero !== undefined && omit !== undefined);
  for (const field of unknown) assert.deepEqual([field, zero.get(field), omit.get(field)], [field, 0n, undefined]);
  for (const [field, value] of omit) assert.deepEqual([field, value], [field, zero.get(field)]);
  assert.equal(omit.get("memactual"), 24n * 1024n);
  assert.ok(Number(omit.get("memrss")) > 0);
});
