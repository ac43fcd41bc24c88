import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import fc from "fast-check";
import { LAUNCHER_BUDGET } from "../../../../src/budget.ts";
import type { DomainSample } from "../../../../src/collection/domain-sample.ts";
import { GUEST_MEMORY } from "../../../../src/collection/libvirt/guest-memory.ts";
import { RAW, rawNeeds } from "../../../../src/collection/libvirt/raw-parameters.ts";
import type { SourceSettings } from "../../../../src/collection/source.ts";
import { BALLOON, CPU_TIMES, DEVICES, reading } from "../../../../src/collection/stats-needs.ts";
import { SyntheticDomain } from "../../../../src/simulator/synthetic-domain.ts";
import { SimulatedEndpoint, type EndpointOptions } from "../../../support/simulated-endpoint.ts";

const VM = "vm-001";
const NEEDS = [DEVICES, BALLOON, CPU_TIMES, GUEST_MEMORY];
const SETTINGS: SourceSettings = {
  timeoutMs: 800,
  deviceCacheTtlMs: 3_600_000,
  needs: NEEDS,
  freshness: "GuestPeriod",
};

interface Asked {
  readonly endpoint: SimulatedEndpoint;
  /** Returns for each cycle whether it asked for `balloon`, as `x` or `.`, after running this many. */
  readonly cycles: (count: number) => Promise<string>;
}

/** Starts a launcher, or a host if there are several domains. */
async function start(
  t: TestContext,
  { settings, domains = 1, ...options }: EndpointOptions = {},
  prepare: (endpoint: SimulatedEndpoint) => void = () => undefined,
): Promise<Asked> {
  const endpoint = await SimulatedEndpoint.start(t, {
    ...(domains === 1 && { transient: true, budget: LAUNCHER_BUDGET }),
    ...options,
    domains,
    settings: { ...SETTINGS, ...settings },
  });
  endpoint.host.cgroups = false;
  prepare(endpoint);
  const { adjustStats } = endpoint.host;
  let replies = 0;
  endpoint.host.adjustStats = (name, params) => {
    if (params.has("balloon.maximum")) replies++;
    adjustStats(name, params);
  };
  const cycles = async (count: number): Promise<string> => {
    let seen = "";
    for (let left = count; left > 0; left--) {
      const before = replies;
      await endpoint.samples();
      seen += replies > before ? "x" : ".";
    }
    return seen;
  };
  return { endpoint, cycles };
}

/** Sets the XML's period of each domain; 0 leaves the balloon without one. */
function withPeriods(periods: Readonly<Record<string, number>>): (endpoint: SimulatedEndpoint) => void {
  return ({ host }) => {
    host.adjustXml = (name, xml) => {
      const period = periods[name] ?? 10;
      return xml.replace(/<stats period='10'\/>/, period === 0 ? "" : `<stats period='${period}'/>`);
    };
  };
}

/** Lets the guests send no values after this time, in seconds since the epoch. */
function silentSince(lastS: bigint): (endpoint: SimulatedEndpoint) => void {
  return ({ host }) => {
    host.adjustStats = (_name, params) => {
      if (params.has("balloon.last-update")) params.set("balloon.last-update", lastS);
    };
  };
}

test("by default every cycle asks for the values of the balloon", async (t) => {
  const { cycles } = await start(t, { settings: { freshness: "EveryCycle" } });
  assert.equal(await cycles(6), "xxxxxx");
});

test("a launcher is asked when its guest can have sent values", async (t) => {
  // The guest sends values at whole tens of seconds, and the first cycle begins at one.
  const { cycles } = await start(t);
  assert.equal(await cycles(8), "x.x.x.x.");
});

test("a host is asked for all domains at the shortest of their periods", async (t) => {
  const { cycles } = await start(t, { domains: 3 }, withPeriods({ "vm-001": 30, "vm-002": 15, "vm-003": 20 }));
  assert.equal(await cycles(9), "x..x..x..");
});

for (const [what, domains] of [
  ["a launcher whose guest has no period", 1],
  ["a host with a guest without a period", 3],
] as const)
  test(`${what} is asked in every cycle`, async (t) => {
    const { cycles } = await start(t, { domains }, withPeriods({ [VM]: 0 }));
    assert.equal(await cycles(5), "xxxxx");
  });

test("a period of an hour does not keep values for longer than a minute", async (t) => {
  const { cycles } = await start(t, { intervalMs: 10_000 }, withPeriods({ [VM]: 3_600 }));
  assert.equal(await cycles(13), "x.....x.....x");
});

test("a guest that has stopped sending is asked once in a period", async (t) => {
  const { cycles } = await start(t, { intervalMs: 2_000 }, silentSince(1_690_000_000n));
  assert.equal(await cycles(11), "x....x....x");
});

test("a guest that has not sent values yet is asked once in a period", async (t) => {
  const { cycles } = await start(t, { intervalMs: 2_000 }, silentSince(0n));
  assert.equal(await cycles(11), "x....x....x");
});

test("a wall clock that is set back does not stop the calls", async (t) => {
  const { endpoint, cycles } = await start(t);
  assert.equal(await cycles(2), "x.");
  endpoint.clock.step(-3_600_000);
  assert.equal(await cycles(4), "x.x.");
});

test("values of an earlier run are not used for a domain that has restarted", async (t) => {
  const { endpoint, cycles } = await start(t);
  await cycles(1);
  const { ref } = endpoint.domain(VM);
  endpoint.host.addDomain(new SyntheticDomain(2, endpoint.shape, { ...ref, id: 2 }));
  const { memory, identity } = await endpoint.sample();
  assert.equal(identity.id, 2);
  // The first cycle of a domain asks for everything.
  assert.equal(memory.rss, memory.current === undefined ? undefined : memory.current + 90_000n);
});

test("values from before the end of a migration are not used", async (t) => {
  let isHere = false;
  const identify: EndpointOptions["identify"] = (domain) => (isHere ? domain : undefined);
  const { endpoint, cycles } = await start(t, { identify });
  assert.equal(await cycles(3), "xxx");
  isHere = true;
  const { memory } = await endpoint.sample();
  assert.equal(memory.rss, memory.current === undefined ? undefined : memory.current + 90_000n);
});

test("the cycle after another XML was read asks again, with the new period", async (t) => {
  const periods = { [VM]: 50 };
  const { cycles } = await start(t, { settings: { deviceCacheTtlMs: 20_000 } }, (endpoint) => {
    withPeriods(periods)(endpoint);
    silentSince(0n)(endpoint);
  });
  assert.equal(await cycles(3), "x..");
  periods[VM] = 15;
  // The XML is read again in the fifth cycle.
  assert.equal(await cycles(8), "..x..x..");
});

test("values that QEMU has not sent are missing, and are asked again in the next cycle", async (t) => {
  const { endpoint } = await start(t, { settings: { timeoutMs: 4_000 } });
  await endpoint.samples();
  await endpoint.samples();
  await endpoint.clock.advance(60_000);
  endpoint.host.otherJobs.set(VM, endpoint.clock.monotonic());
  const [stuck] = (await endpoint.cycle()).samples;
  assert.equal(stuck?.memory.rss, undefined);
  endpoint.host.otherJobs.clear();
  assert.notEqual((await endpoint.sample()).memory.rss, undefined);
});

test("a lost connection ends the use of kept values", async (t) => {
  const { endpoint, cycles } = await start(t);
  assert.equal(await cycles(2), "x.");
  assert.equal(await cycles(1), "x");
  await endpoint.stopDaemon();
  await endpoint.startDaemon();
  assert.equal(await cycles(1), "x");
});

test("a new configuration with EveryCycle applies to the next cycle", async (t) => {
  const { endpoint, cycles } = await start(t);
  assert.equal(await cycles(1), "x");
  endpoint.source.configure({ ...SETTINGS, freshness: "EveryCycle" });
  assert.equal(await cycles(3), "xxx");
});

test("a new family that needs CPU times does not get values from before it", async (t) => {
  const { endpoint, cycles } = await start(t, { settings: { needs: [DEVICES, BALLOON] } });
  assert.equal(await cycles(1), "x");
  endpoint.source.configure(SETTINGS);
  assert.notEqual((await endpoint.sample()).cpu.user, undefined);
});

test("the family Raw gets the values of each of its cycles", async (t) => {
  const { cycles } = await start(t, { settings: { needs: [...NEEDS, RAW, ...rawNeeds(["Balloon"])] } });
  assert.equal(await cycles(4), "xxxx");
});

test("without the families of devices the XML is read for the period only", async (t) => {
  const { endpoint, cycles } = await start(t, { settings: { needs: [BALLOON, GUEST_MEMORY] } });
  assert.equal(await cycles(6), "x.x.x.");
  assert.equal(endpoint.newCalls("DOMAIN_GET_XML_DESC"), 1);
});

test("CPU times are asked in every cycle until it is known whether the daemon has cgroups", async (t) => {
  const probe = Promise.withResolvers<undefined>();
  const { endpoint, cycles } = await start(t, {}, ({ host }) => {
    host.cpuStatsReady = probe.promise;
  });
  assert.equal(await cycles(4), "xxxx");
  probe.resolve(undefined);
  await endpoint.samples();
  assert.match(await cycles(4), /^(x\.x\.|\.x\.x)$/);
});

test("values are those of every cycle, or of one that was a period earlier at most", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(1_000, 2_000, 3_000, 5_000, 7_000, 10_000, 15_000),
      fc.integer({ min: 0, max: 9_999 }),
      fc.constantFrom(1, 2),
      async (intervalMs, phaseMs, domains) => {
        const both = await Promise.all(
          (["EveryCycle", "GuestPeriod"] as const).map(async (freshness) => {
            const { endpoint } = await start(t, { domains, intervalMs, settings: { freshness } });
            await endpoint.clock.advance(phaseMs);
            return endpoint;
          }),
        );
        const past: DomainSample[] = [];
        for (let cycle = 0; cycle < 24_000 / Math.min(intervalMs, 3_000); cycle++) {
          const [every, some] = await Promise.all(both.map((endpoint) => endpoint.sample()));
          assert.ok(every !== undefined && some !== undefined);
          past.unshift(every);
          compare(some, past, domains === 1);
        }
      },
    ),
    { numRuns: 12 },
  );
});

/** Compares a sample with those of every cycle, the newest first. */
function compare(some: DomainSample, [every, ...older]: readonly DomainSample[], isAlone: boolean): void {
  assert.ok(every !== undefined);
  const { rss, monotonicMs, ...guest } = some.memory;
  const { user, system, ...cpu } = some.cpu;
  assert.equal(some.timestampMs, every.timestampMs);
  // What rates are computed from is never kept.
  assert.deepEqual({ ...every.cpu, ...cpu }, every.cpu);
  assert.deepEqual([some.nics, some.disks, some.previous], [every.nics, every.disks, every.previous]);
  const recent = [every, ...older].filter((sample) => every.timestampMs - sample.timestampMs <= 10_000);
  const source = recent.find((sample) => sample.memory.rss === rss && sample.cpu.user === user);
  assert.ok(source !== undefined, "older than a period");
  assert.equal(system, source.cpu.system);
  const expected = isAlone ? every : source;
  assert.deepEqual({ ...guest, rss, monotonicMs }, { ...expected.memory, rss, ...current(every) });
  assert.deepEqual(reading(some, GUEST_MEMORY), reading(expected, GUEST_MEMORY));
}

/** Returns what is never kept. */
function current({ memory }: DomainSample): Pick<DomainSample["memory"], "maximum" | "current" | "monotonicMs"> {
  const { maximum, current, monotonicMs } = memory;
  return { maximum, current, monotonicMs };
}
