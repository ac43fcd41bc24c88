import assert from "node:assert/strict";
import { test } from "node:test";
import { LAUNCHER_BUDGET } from "../../../src/budget.ts";
import { DeviceCache } from "../../../src/discovery/device-cache.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const TTL_MS = 300_000;
const DOMAIN = { name: "web", uuid: "6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a01", id: 1 };

function xml(...disks: string[]): string {
  return `<domain><devices>${disks.map((disk) => `<disk><target dev='${disk}'/></disk>`).join("")}</devices></domain>`;
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
    async disks(reported: readonly string[], domain = DOMAIN): Promise<string[]> {
      const layout = await cache.layout(domain, { nics: undefined, blocks: new Set(reported) }, () => {
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
  await assert.rejects(cache.layout(DOMAIN, { nics: undefined, blocks: new Set(["vda", "vdb"]) }, failing), /gone/);
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
