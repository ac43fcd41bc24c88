// Launchers that send more than a VM needs, over the real RPC. Each is cut off, counted, named, and collected again later.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { LAUNCHER_BUDGET, type RejectionReason } from "../../../src/budget.ts";
import type { SourceCycle } from "../../../src/collection/source.ts";
import { DEVICES } from "../../../src/collection/stats-needs.ts";
import { VCPUS } from "../../../src/collection/libvirt/vcpus.ts";
import type { TypedValue } from "../../../src/libvirt/types.ts";
import { SyntheticDomain } from "../../../src/simulator/synthetic-domain.ts";
import { SimulatedEndpoint, type EndpointOptions } from "../../support/simulated-endpoint.ts";

const SHAPE = { nics: 1, disks: 2, seed: 7 };
const MINUTE_MS = 60_000;

/** A launcher with one domain. */
function launcher(t: TestContext, options: EndpointOptions = {}): Promise<SimulatedEndpoint> {
  return SimulatedEndpoint.start(t, { domains: 1, shape: SHAPE, transient: true, budget: LAUNCHER_BUDGET, ...options });
}

function assertRejected({ outcome, samples, errors }: SourceCycle, reason: RejectionReason): void {
  assert.deepEqual(
    { outcome, samples: samples.length, errors: errors.map(({ code, rejection }) => [code, rejection]) },
    { outcome: "failed", samples: 0, errors: [["E_LAUNCHER_BUDGET", reason]] },
  );
  assert.match(errors[0]?.message ?? "", /^the launcher of shop\/web exceeds its budget: .{1,80}$/);
}

/** Puts devices into the statistics, after those of the domain. */
function addDevices(params: Map<string, TypedValue>, kind: "net" | "block", names: readonly string[]): void {
  params.set(`${kind}.count`, names.length);
  for (const [index, name] of names.entries()) params.set(`${kind}.${index}.name`, name);
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `dev${index}`);
}

/** What a launcher does -> the reason of its rejection. */
const ATTACKS: readonly (readonly [
  what: string,
  reason: RejectionReason,
  attack: (endpoint: SimulatedEndpoint) => void,
])[] = [
  [
    "a second running domain",
    "Domains",
    ({ host }) => {
      host.addDomain(new SyntheticDomain(2, SHAPE));
    },
  ],
  [
    "200 running domains",
    "Domains",
    ({ host }) => {
      for (let seed = 2; seed <= 200; seed++) host.addDomain(new SyntheticDomain(seed, SHAPE));
    },
  ],
  [
    "a domain with a name of 64 KiB",
    "NameLength",
    ({ host }) => {
      host.domains.clear();
      host.addDomain(new SyntheticDomain(1, SHAPE, { name: "<".repeat(65_536), id: 1 }));
    },
  ],
  [
    "a device with a long name in the statistics",
    "NameLength",
    ({ host }) => {
      host.adjustStats = (_name, params) => {
        addDevices(params, "net", ["x".repeat(1_000)]);
      };
    },
  ],
  [
    "a device with a long name in the XML",
    "NameLength",
    ({ host }) => {
      host.adjustXml = (_name, xml) => xml.replace("dev='vda'", `dev='${"v".repeat(257)}'`);
    },
  ],
  [
    "more interfaces in the statistics than a VM can have",
    "Devices",
    ({ host }) => {
      host.adjustStats = (_name, params) => {
        addDevices(params, "net", names(1_030));
      };
    },
  ],
  [
    "more interfaces and disks together",
    "Devices",
    ({ host }) => {
      host.adjustStats = (_name, params) => {
        addDevices(params, "net", names(600));
        addDevices(params, "block", names(600));
      };
    },
  ],
  [
    "more devices in the XML than a VM can have",
    "Devices",
    ({ host }) => {
      const nics = names(1_100).map((name) => `<interface><target dev='${name}'/></interface>`);
      host.adjustXml = (_name, xml) => xml.replace("</devices>", `${nics.join("")}</devices>`);
    },
  ],
  [
    "XML of more than 256 KiB",
    "XmlWork",
    ({ host }) => {
      host.adjustXml = (_name, xml) => xml.replace("<devices>", `${"<a/>".repeat(70_000)}<devices>`);
    },
  ],
];

for (const [what, reason, attack] of ATTACKS) {
  test(`a launcher with ${what} is cut off and tried again after a minute`, async (t) => {
    const endpoint = await launcher(t);
    attack(endpoint);
    assertRejected(await endpoint.cycle(), reason);
    const calls = endpoint.source.stats.calls;
    assert.equal(endpoint.clients, 0);
    // The interval of 5 seconds has passed with each cycle.
    for (let cycle = 1; cycle < 12; cycle++) assert.equal((await endpoint.cycle()).outcome, "skipped");
    assert.equal(endpoint.source.stats.calls, calls);
    assertRejected(await endpoint.cycle(), reason);
  });
}

test("a launcher that keeps to its budget again is collected again", async (t) => {
  const endpoint = await launcher(t);
  endpoint.host.addDomain(new SyntheticDomain(2, SHAPE));
  assertRejected(await endpoint.cycle(), "Domains");
  endpoint.host.domains.delete("vm-002");
  await endpoint.clock.advance(MINUTE_MS);
  const sample = await endpoint.sample();
  assert.deepEqual([sample.nics?.length, sample.disks?.length], [1, 2]);
});

test("more vCPUs than a VM can have are rejected", async (t) => {
  const endpoint = await launcher(t, { settings: { needs: [DEVICES, VCPUS] } });
  const domain = endpoint.domain("vm-001");
  const vcpu = { state: 1, cpuTimeNs: 1n, cpu: 0 };
  t.mock.method(domain, "vcpus", () => Array.from({ length: 1_025 }, (_, number) => ({ ...vcpu, number })));
  assertRejected(await endpoint.cycle(), "Devices");
});

test("the seventh run of a domain within an hour is rejected until the hour has passed", async (t) => {
  const endpoint = await launcher(t);
  const { host, clock } = endpoint;
  const restart = (id: number): void => {
    host.domains.clear();
    host.addDomain(new SyntheticDomain(1, SHAPE, { name: "vm-001", id }));
  };
  for (let id = 1; id <= 6; id++) {
    restart(id);
    await endpoint.samples();
  }
  restart(7);
  assertRejected(await endpoint.cycle(), "Runs");
  await clock.advance(MINUTE_MS);
  assertRejected(await endpoint.cycle(), "Runs");
  await clock.advance(57 * MINUTE_MS);
  assertRejected(await endpoint.cycle(), "Runs");
  await clock.advance(5 * MINUTE_MS);
  await endpoint.samples();
});

test("a domain that comes and goes with the same id counts as new runs", async (t) => {
  const endpoint = await launcher(t);
  const domain = endpoint.domain("vm-001");
  for (let run = 1; run <= 6; run++) {
    assert.equal((await endpoint.samples()).size, 1);
    endpoint.host.domains.clear();
    assert.equal((await endpoint.samples()).size, 0);
    endpoint.host.addDomain(domain);
  }
  assertRejected(await endpoint.cycle(), "Runs");
});

test("one run of a domain is collected for hours, also across lost connections", async (t) => {
  const endpoint = await launcher(t);
  for (let hour = 0; hour < 8; hour++) {
    await endpoint.samples();
    await endpoint.stopDaemon();
    await endpoint.startDaemon();
    await endpoint.clock.advance(10 * MINUTE_MS);
  }
});

test("a layout that differs in every cycle, or XML that cannot be used, costs no read in each cycle", async (t) => {
  const endpoint = await launcher(t);
  let cycle = 0;
  endpoint.host.adjustStats = (_name, params) => {
    params.set("block.0.name", `vd${cycle++}`);
  };
  for (let count = 0; count < 60; count++) await endpoint.samples();
  // 300 seconds: the first read, a burst of 10, one in 30 seconds.
  assert.ok(endpoint.newCalls("DOMAIN_GET_XML_DESC") <= 21);
  endpoint.host.adjustXml = (_name, xml) => xml.slice(0, 200);
  for (let count = 0; count < 60; count++) await endpoint.cycle();
  assert.ok(endpoint.newCalls("DOMAIN_GET_XML_DESC") <= 10);
});

test("a VM with 250 disks and 20 NICs is collected completely, and a hot-plug shows in the next cycle", async (t) => {
  const shape = { nics: 20, disks: 250, seed: 7 };
  const endpoint = await launcher(t, { shape });
  const sample = await endpoint.sample();
  assert.deepEqual([sample.nics?.length, sample.disks?.length], [20, 250]);
  const plugged = "<disk><target dev='vdzz'/></disk></devices>";
  endpoint.host.adjustXml = (_name, xml) => xml.replace("</devices>", plugged);
  endpoint.host.adjustStats = (_name, params) => {
    params.set("block.count", 252).set("block.251.name", "vdzz");
  };
  assert.equal((await endpoint.sample()).disks?.length, 251);
});

test("a host's own daemon has no budget: all of its domains are collected", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: 12, shape: SHAPE });
  assert.equal((await endpoint.samples()).size, 12);
});
