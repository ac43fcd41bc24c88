import assert from "node:assert/strict";
import { test } from "node:test";
import { LAUNCHER_BUDGET } from "../../../src/budget.ts";
import { DeviceCache, type ReportedDevices } from "../../../src/discovery/device-cache.ts";
import { LibvirtError } from "../../../src/libvirt/errors.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const TTL_MS = 300_000;
const DOMAIN = { name: "web", uuid: "6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a01", id: 1 };

function xml(...disks: string[]): string {
  return `<domain><devices>${disks.map((disk) => `<disk><target dev='${disk}'/></disk>`).join("")}</devices></domain>`;
}

/** Returns statistics with these devices. */
function devices(names: readonly unknown[], counters: readonly bigint[] = []): ReportedDevices {
  return { identity: names, counters };
}

function fixture() {
  const clock = new FakeClock();
  const cache = new DeviceCache(TTL_MS, clock, LAUNCHER_BUDGET);
  let current = xml("vda");
  let reads = 0;
  return {
    clock,
    cache,
    hostHas: (...disks: string[]) => (current = xml(...disks)),
    hostSends: (text: string) => (current = text),
    reads: () => reads,
    /** Resolves to the disks in the cache. `reported` are the block devices in the statistics. */
    async disks(reported: readonly unknown[], domain = DOMAIN): Promise<string[]> {
      const layout = await cache.layout(domain, { nics: undefined, blocks: devices(reported) }, () => {
        reads++;
        return Promise.resolve(current);
      });
      return layout.disks.map(({ device }) => device);
    },
  };
}

test("an entry is used until its time to live ends", async () => {
  const { clock, disks, reads } = fixture();
  await disks(["vda"]);
  await clock.advance(TTL_MS - 1);
  await disks(["vda"]);
  assert.equal(reads(), 1);
  await clock.advance(1);
  await disks(["vda"]);
  assert.equal(reads(), 2);
});

test("facts that are wanted later are read once, and a daemon that does not send them is asked again as for a hot-plug", async () => {
  const { cache, disks, reads, clock } = fixture();
  await disks(["vda"]);
  cache.withFacts = true;
  const failing = (): Promise<string> => Promise.reject(new LibvirtError("E_LIBVIRT_REMOTE", "no XML"));
  const reported = { nics: undefined, blocks: devices(["vda"]) };
  let failures = 0;
  for (let cycle = 0; cycle < 20; cycle++) await cache.layout(DOMAIN, reported, failing).catch(() => failures++);
  assert.equal(failures, 10, "ten at once, and then one in 30 seconds; the devices are known all the time");
  await clock.advance(30_000);
  await disks(["vda"]);
  await disks(["vda"]);
  assert.equal(reads(), 2);
});

test("a hot-plugged and an unplugged device are noticed immediately", async () => {
  const { disks, hostHas } = fixture();
  await disks(["vda"]);
  hostHas("vda", "vdb");
  assert.deepEqual(await disks(["vda", "vdb"]), ["vda", "vdb"]);
  hostHas("vdb");
  assert.deepEqual(await disks(["vdb"]), ["vdb"]);
});

test("a difference that remains after the XML was read does not cause another read", async () => {
  const { disks, reads } = fixture();
  for (let cycle = 0; cycle < 5; cycle++) await disks(["vda", "odd"]);
  assert.equal(reads(), 1);
  await disks(["vda", "odd", "odder"]);
  assert.equal(reads(), 2);
});

test("missing statistics are not a difference", async () => {
  const { cache, disks, reads } = fixture();
  await disks(["vda"]);
  await cache.layout(DOMAIN, { nics: undefined, blocks: undefined }, () => Promise.reject(new Error("not needed")));
  assert.equal(reads(), 1);
});

test("a disk that replaces another one under the same name is noticed by its path or its number", async () => {
  const { disks, reads } = fixture();
  await disks(["sda", "/old.img", 3]);
  await disks(["sda", "/old.img", 3]);
  assert.equal(reads(), 1);
  await disks(["sda", "/new.img", 3]);
  assert.equal(reads(), 2);
  await disks(["sda", "/new.img", 4]);
  assert.equal(reads(), 3);
  await disks(["sda", undefined, undefined]);
  assert.equal(reads(), 4);
});

test("a device whose counters restart is another device", async () => {
  const { cache } = fixture();
  let reads = 0;
  const readsAfter = async (...counters: bigint[]): Promise<number> => {
    await cache.layout(DOMAIN, { nics: devices(["tap0"], counters), blocks: undefined }, () => {
      reads++;
      return Promise.resolve(xml());
    });
    return reads;
  };
  assert.equal(await readsAfter(100n, 50n), 1);
  assert.equal(await readsAfter(100n, 60n), 1);
  assert.equal(await readsAfter(200n, 59n), 2, "the second counter is smaller");
  assert.equal(await readsAfter(200n, 59n), 2);
});

test("disks that are reported again after a cycle without an answer are not other disks", async () => {
  const { cache, disks, reads } = fixture();
  await disks(["vda"]);
  const unanswered = { nics: undefined, blocks: undefined };
  await cache.layout(DOMAIN, unanswered, () => Promise.reject(new Error("not needed")));
  await disks(["vda"]);
  assert.equal(reads(), 1);
});

test("XML that libvirt rejects to send is requested eleven times, and then twice a minute", async () => {
  const { clock, cache } = fixture();
  const rejection = new LibvirtError("E_LIBVIRT_REMOTE", "the document is too large");
  let reads = 0;
  const cycle = async (): Promise<void> => {
    const rejected = (): Promise<string> => {
      reads++;
      return Promise.reject(rejection);
    };
    const cached = cache.layout(DOMAIN, { nics: undefined, blocks: devices(["vda"]) }, rejected);
    await assert.rejects(cached, rejection);
    await clock.advance(1_000);
  };
  for (let second = 0; second < 20; second++) await cycle();
  assert.equal(reads, 11);
  for (let second = 20; second < 320; second++) await cycle();
  assert.ok(reads <= 11 + 11, `${reads} reads`);
});

test("a reused id or a restarted guest does not get the devices of another run", async () => {
  const { disks, hostHas } = fixture();
  await disks(["vda"]);
  hostHas("sda");
  assert.deepEqual(await disks(["sda"], { ...DOMAIN, uuid: "00000000-0000-0000-0000-000000000002" }), ["sda"]);
  hostHas("hda");
  assert.deepEqual(await disks(["hda"], { ...DOMAIN, id: 2 }), ["hda"]);
});

test("only the entries of retained domains stay in the cache", async () => {
  const { cache, disks, reads } = fixture();
  const other = { ...DOMAIN, id: 2 };
  await disks(["vda"]);
  await disks(["vda"], other);
  cache.retain([DOMAIN]);
  await disks(["vda"]);
  assert.equal(reads(), 2);
  await disks(["vda"], other);
  assert.equal(reads(), 3);
  cache.retain([]);
  await disks(["vda"]);
  assert.equal(reads(), 4);
});

test("an unreadable XML does not replace the cached entry", async () => {
  const { cache, disks } = fixture();
  await disks(["vda"]);
  const failing = (): Promise<string> => Promise.reject(new Error("gone"));
  await assert.rejects(cache.layout(DOMAIN, { nics: undefined, blocks: devices(["vda", "vdb"]) }, failing), /gone/);
  assert.deepEqual(await disks(["vda"]), ["vda"]);
});

test("XML that cannot be used is read once until its time to live ends", async () => {
  const { clock, disks, hostSends, hostHas, reads } = fixture();
  hostSends("<domain><devices>");
  for (let cycle = 0; cycle < 5; cycle++) await assert.rejects(disks(["vda", `vd${cycle}`]), { code: "E_DOMAIN_XML" });
  assert.equal(reads(), 1);
  hostHas("vda");
  await clock.advance(TTL_MS);
  assert.deepEqual(await disks(["vda"]), ["vda"]);
});

test("XML over the budget is read again at the next attempt, so a launcher recovers with it", async () => {
  const { disks, hostSends, hostHas } = fixture();
  hostSends(" ".repeat(LAUNCHER_BUDGET.xmlLength + 1));
  await assert.rejects(disks(["vda"]), { rejection: "XmlWork" });
  hostHas("vda");
  assert.deepEqual(await disks(["vda"]), ["vda"]);
});

test("a layout that differs from the statistics in every cycle is read twice a minute", async () => {
  const { clock, disks, reads } = fixture();
  for (let cycle = 0; cycle < 360; cycle++) {
    await disks([`vd${cycle}`]);
    await clock.advance(5_000);
  }
  // 1,800 s: 6 entries that expire, a burst of 10, and one read in 30 s.
  assert.ok(reads() <= 6 + 10 + 60, `${reads()} reads`);
});

test("a daemon that ends every connection does not get more reads by that", async () => {
  const { cache, disks, reads } = fixture();
  for (let cycle = 0; cycle < 100; cycle++) {
    await disks(["vda"]);
    cache.invalidate();
  }
  assert.equal(reads(), 1 + 10);
});
