import assert from "node:assert/strict";
import { test } from "node:test";
import { LibvirtSource } from "../../src/collection/libvirt/libvirt-source.ts";
import { BALLOON, CPU_TIMES, DEVICES } from "../../src/collection/stats-needs.ts";
import { Ticker } from "../../src/collection/ticker.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { atEnd } from "../support/at-end.ts";
import { LibvirtHost } from "./support/libvirt-host.ts";

const STARTS = 6;

test("at an interval of 1 s, VMs that start cost the others no cycle", async (t) => {
  const host = await LibvirtHost.start();
  const settings = { timeoutMs: 800, deviceCacheTtlMs: 300_000, needs: [DEVICES, BALLOON, CPU_TIMES] };
  const source = new LibvirtSource({ socket: host.socket }, settings, systemClock);
  atEnd(t, async () => {
    source.close();
    await host[Symbol.asyncDispose]();
  });
  const old = ["old-1", "old-2"];
  for (const name of old) await host.createGuest(name, { taps: [] });
  await source.collect();

  const started = new AbortController();
  const starting = (async () => {
    // Two at a time: each start holds the lock of its domain for a while.
    for (let index = 0; index < STARTS; index += 2)
      await Promise.all([index, index + 1].map((one) => host.createGuest(`new-${one}`, { taps: [] })));
    started.abort();
  })();
  const ticker = new Ticker(1_000, systemClock);
  for (let cycles = 0; !started.signal.aborted || cycles < 5; cycles++) {
    await ticker.next(t.signal);
    const { outcome, samples, errors } = await source.collect();
    assert.deepEqual([outcome, errors], ["collected", []]);
    for (const name of old) {
      const sample = samples.find(({ identity }) => identity.name === name);
      assert.equal(sample?.disks?.length, 1, `${name} is complete in cycle ${cycles}`);
      assert.ok(sample.memory.rss !== undefined);
    }
  }
  await starting;
  const { samples } = await source.collect();
  assert.equal(samples.length, old.length + STARTS);
});
