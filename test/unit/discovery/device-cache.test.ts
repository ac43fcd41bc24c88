import assert from "node:assert/strict";
import { test } from "node:test";
import { DeviceCache } from "../../../src/discovery/device-cache.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const TTL_MS = 300_000;
const DOMAIN = { name: "web", uuid: "6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a01", id: 1 };

function xml(...disks: string[]): string {
  return `<domain><devices>${disks.map((disk) => `<disk><target dev='${disk}'/></disk>`).join("")}</devices></domain>`;
}

function fixture() {
  const clock = new FakeClock();
  const cache = new DeviceCache(TTL_MS, clock);
  let current = xml("vda");
  let reads = 0;
  return {
    clock,
    cache,
    hostHas: (...disks: string[]) => (current = xml(...disks)),
    reads: () => reads,
    /** The disks that the cache reports when the statistics show these block devices. */
    async disks(seen: readonly string[], domain = DOMAIN): Promise<string[]> {
      const layout = await cache.layout(domain, { nics: undefined, blocks: new Set(seen) }, () => {
        reads++;
        return Promise.resolve(current);
      });
      return layout.disks.map(({ device }) => device);
    },
  };
}

test("an entry is used until its time to live is over and not after", async () => {
  const { clock, disks, reads } = fixture();
  await disks(["vda"]);
  await clock.advance(TTL_MS - 1);
  await disks(["vda"]);
  assert.equal(reads(), 1);
  await clock.advance(1);
  await disks(["vda"]);
  assert.equal(reads(), 2);
});

test("a hot-plugged and an unplugged device are seen at once", async () => {
  const { disks, hostHas } = fixture();
  await disks(["vda"]);
  hostHas("vda", "vdb");
  assert.deepEqual(await disks(["vda", "vdb"]), ["vda", "vdb"]);
  hostHas("vdb");
  assert.deepEqual(await disks(["vdb"]), ["vdb"]);
});

test("a disagreement that a fresh XML does not solve is asked about once, not every cycle", async () => {
  const { disks, reads } = fixture();
  for (let cycle = 0; cycle < 5; cycle++) await disks(["vda", "odd"]);
  assert.equal(reads(), 1);
  await disks(["vda", "odd", "odder"]);
  assert.equal(reads(), 2);
});

test("statistics that were not answered are no disagreement", async () => {
  const { cache, disks, reads } = fixture();
  await disks(["vda"]);
  await cache.layout(DOMAIN, { nics: undefined, blocks: undefined }, () => Promise.reject(new Error("not asked")));
  assert.equal(reads(), 1);
});

test("a reused id and a restarted guest never see another's devices", async () => {
  const { disks, hostHas } = fixture();
  await disks(["vda"]);
  hostHas("sda");
  assert.deepEqual(await disks(["sda"], { ...DOMAIN, uuid: "00000000-0000-0000-0000-000000000002" }), ["sda"]);
  hostHas("hda");
  assert.deepEqual(await disks(["hda"], { ...DOMAIN, id: 2 }), ["hda"]);
});

test("an entry goes with its domain", async () => {
  const { cache, disks } = fixture();
  await disks(["vda"]);
  await disks(["vda"], { ...DOMAIN, id: 2 });
  cache.retain([DOMAIN]);
  assert.equal(cache.size, 1);
  cache.retain([]);
  assert.equal(cache.size, 0);
});

test("an XML that cannot be read leaves the entry before in place", async () => {
  const { cache, disks } = fixture();
  await disks(["vda"]);
  const failing = (): Promise<string> => Promise.reject(new Error("gone"));
  await assert.rejects(cache.layout(DOMAIN, { nics: undefined, blocks: new Set(["vda", "vdb"]) }, failing), /gone/);
  assert.deepEqual(await disks(["vda"]), ["vda"]);
});
