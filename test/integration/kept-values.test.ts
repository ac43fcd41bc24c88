import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { GUEST_MEMORY } from "../../src/collection/libvirt/guest-memory.ts";
import { LibvirtSource } from "../../src/collection/libvirt/libvirt-source.ts";
import type { DomainSample } from "../../src/collection/domain-sample.ts";
import { BALLOON, CPU_TIMES, DEVICES } from "../../src/collection/stats-needs.ts";
import type { Freshness } from "../../src/contract.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { LibvirtHost } from "./support/libvirt-host.ts";

/** Cycles of 5 seconds, by a clock that does not wait: a minute. */
const CYCLES = 12;
const INTERVAL_MS = 5_000;

const resources = new AsyncDisposableStack();
let host: LibvirtHost;

before(async () => {
  // Like a virt-launcher: one guest, and a daemon without cgroups.
  host = resources.use(await LibvirtHost.start());
  await host.createGuest("web");
  await host.logCommands();
});

after(() => resources.disposeAsync());

interface Minute {
  readonly samples: readonly DomainSample[];
  /** Command -> how often libvirt has sent it to QEMU. */
  readonly commands: ReadonlyMap<string, number>;
}

async function minute(freshness: Freshness): Promise<Minute> {
  const clock = new FakeClock();
  const needs = [DEVICES, BALLOON, CPU_TIMES, GUEST_MEMORY];
  const settings = { timeoutMs: 4_000, deviceCacheTtlMs: 300_000, needs, freshness };
  const source = new LibvirtSource({ socket: host.socket }, settings, clock);
  const before = (await host.commands()).length;
  const samples: DomainSample[] = [];
  try {
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      const { errors, samples: some } = await source.collect();
      assert.deepEqual(errors, []);
      samples.push(...some);
      await clock.advance(INTERVAL_MS);
    }
  } finally {
    source.close();
  }
  const commands = new Map<string, number>();
  for (const command of (await host.commands()).slice(before)) commands.set(command, (commands.get(command) ?? 0) + 1);
  return { samples, commands };
}

test("with GuestPeriod a real QEMU gets half of the commands of the balloon, and all others", async (t) => {
  const every = await minute("EveryCycle");
  const some = await minute("GuestPeriod");
  for (const { commands } of [every, some]) t.diagnostic(JSON.stringify(Object.fromEntries(commands)));
  const balloon = every.commands.get("query-balloon") ?? 0;
  assert.ok(balloon >= CYCLES, `${balloon} commands for the balloon`);
  assert.equal(some.commands.get("query-balloon"), balloon / 2);
  assert.equal(some.commands.get("query-blockstats"), every.commands.get("query-blockstats"));
  assert.equal(some.samples.length, CYCLES);
  for (const { memory, cpu, disks } of some.samples) {
    assert.ok(memory.rss !== undefined && cpu.time !== undefined && cpu.user !== undefined);
    assert.equal(disks?.length, 1);
  }
});

test("the CPU time of a running guest does not go back between cycles that ask for its parts and others", async () => {
  await host.virsh("resume", "web");
  const { samples } = await minute("GuestPeriod");
  const times = samples.map(({ cpu }) => cpu.time ?? -1n);
  assert.deepEqual(
    times,
    [...times].sort((a, b) => Number(a - b)),
  );
});
