import assert from "node:assert/strict";
import { test } from "node:test";
import type { DomainSample } from "../../../../src/collection/domain-sample.ts";
import { TelemetryError } from "../../../../src/errors.ts";
import type { TypedValue } from "../../../../src/libvirt/types.ts";
import { SyntheticDomain } from "../../../../src/simulator/synthetic-domain.ts";
import { points } from "../../../support/encode.ts";
import { SimulatedEndpoint } from "../../../support/simulated-endpoint.ts";
import { BALLOON, CPU_TIMES, DEVICES } from "../../../../src/collection/stats-needs.ts";

function devices({ nics = [], disks = [] }: DomainSample): string[] {
  return [...nics, ...disks].map(({ device }) => device);
}

test("the XML is read again when its cache entry expires, and not before", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { settings: { deviceCacheTtlMs: 10_001 } });
  const reads: number[] = [];
  for (let cycle = 0; cycle < 7; cycle++) {
    await endpoint.samples();
    reads.push(endpoint.newCalls("DOMAIN_GET_XML_DESC"));
  }
  // The XML is read at 0 s, 15 s and 30 s; at 10 s the entries expire in one millisecond.
  assert.deepEqual(reads, [3, 0, 0, 3, 0, 0, 3]);
});

test("a shorter time to live applies to entries that are read after the change", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: 1 });
  const settings = { timeoutMs: 4_000, deviceCacheTtlMs: 5_000, needs: [DEVICES, BALLOON, CPU_TIMES] };
  await endpoint.samples();
  endpoint.source.configure(settings);
  await endpoint.samples();
  assert.equal(endpoint.newCalls("DOMAIN_GET_XML_DESC"), 1);
  endpoint.host.domains.clear();
  endpoint.host.addDomain(new SyntheticDomain(1, endpoint.shape, { id: 9 }));
  await endpoint.samples();
  await endpoint.samples();
  assert.equal(endpoint.newCalls("DOMAIN_GET_XML_DESC"), 2);
});

test("hot-plugged devices appear with counters in the next cycle, and unplugged ones disappear", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t);
  assert.deepEqual(devices(await endpoint.sample()), ["vnet0", "vnet1", "vda", "vdb", "vdc"]);
  endpoint.host.addDomain(new SyntheticDomain(1, { ...endpoint.shape, nics: 3, disks: 4 }));
  const plugged = await endpoint.sample();
  assert.deepEqual(devices(plugged), ["vnet0", "vnet1", "vnet2", "vda", "vdb", "vdc", "vdd"]);
  assert.ok(plugged.nics?.every(({ rxBytes }) => rxBytes !== undefined));
  assert.ok(plugged.disks?.every(({ readBytes }) => readBytes !== undefined));
  assert.equal(endpoint.newCalls("DOMAIN_GET_XML_DESC"), 4, "one for each domain, and one for the change");
  endpoint.host.addDomain(new SyntheticDomain(1, { ...endpoint.shape, nics: 1, disks: 1 }));
  assert.deepEqual(devices(await endpoint.sample()), ["vnet0", "vda"]);
});

test("a domain that reuses an id gets no devices or rates of the previous domain", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t);
  await endpoint.samples();
  assert.ok((await endpoint.sample("vm-002")).previous !== undefined);
  endpoint.host.domains.delete("vm-002");
  endpoint.host.addDomain(new SyntheticDomain(9, { nics: 1, disks: 1, seed: 3 }, { id: 2 }));
  const other = await endpoint.sample("vm-009");
  assert.equal(other.identity.id, 2);
  assert.equal(other.previous, undefined);
  assert.deepEqual(devices(other), ["vnet1", "vda"]);
});

test("a restarted guest has its new devices, and no vm_features in its first cycle", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t);
  const before = await endpoint.sample();
  await endpoint.sample();
  endpoint.host.addDomain(new SyntheticDomain(1, endpoint.shape, { id: 40 }));
  const first = await endpoint.sample();
  assert.equal(first.identity.uuid, before.identity.uuid);
  assert.deepEqual(devices(first).slice(0, 2), ["vnet78", "vnet79"]);
  assert.ok(points([first]).every(({ measurement }) => measurement !== "vm_features"));
  assert.ok(points([await endpoint.sample()]).some(({ measurement }) => measurement === "vm_features"));
});

test("a domain that ends between the list and its XML causes no error", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t);
  const { host } = endpoint;
  // One domain ends before the statistics, after its state was read; the other before its XML is read.
  const second = endpoint.domain("vm-002");
  const info = second.info(0);
  second.info = () => {
    host.domains.delete("vm-002");
    return info;
  };
  host.adjustStats = (name) => {
    if (name === "vm-003") host.domains.delete(name);
  };
  assert.deepEqual([...(await endpoint.samples()).keys()], ["vm-001"]);
});

test("the devices of a domain are forgotten when the domain ends", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t);
  const domain = endpoint.domain("vm-002");
  await endpoint.samples();
  endpoint.host.domains.delete("vm-002");
  await endpoint.samples();
  endpoint.newCalls("DOMAIN_GET_XML_DESC");
  endpoint.host.addDomain(domain);
  await endpoint.samples();
  assert.equal(endpoint.newCalls("DOMAIN_GET_XML_DESC"), 1);
});

test("an unusable XML affects only the devices of its domain", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t);
  endpoint.host.adjustXml = (name, xml) => (name === "vm-002" ? xml.slice(0, 100) : xml);
  const { samples, errors, stuck } = await endpoint.cycle();
  assert.deepEqual(
    errors.map(({ code, message }) => [code, /the domain (\S+)/.exec(message)?.[1]]),
    [["E_DOMAIN_XML", "vm-002"]],
  );
  assert.deepEqual(stuck, []);
  assert.deepEqual(
    samples.map(({ nics }) => nics?.length),
    [2, undefined, 2],
  );
});

for (const gaps of [1, 24]) {
  test(`${gaps} interfaces without a host device do not shift the counters of the others`, async (t) => {
    const endpoint = await SimulatedEndpoint.start(t, {
      domains: 1,
      settings: { needs: [DEVICES] },
    });
    const plain = await endpoint.sample();
    endpoint.host.adjustStats = (_name, params) => {
      const shifted: [string, TypedValue][] = [...params].map(([field, value]) => [
        field.replace(/^net\.(\d+)\./, (_, index) => `net.${Number(index) + gaps}.`),
        value,
      ]);
      params.clear();
      for (const [field, value] of shifted) params.set(field, value);
      params.set("net.count", 2 + gaps);
    };
    endpoint.host.adjustXml = (_name, xml) =>
      xml.replace(
        "<interface ",
        `${"<interface type='hostdev'><mac address='02:00:00:00:00:01'/></interface>".repeat(gaps)}<interface `,
      );
    const shifted = await endpoint.sample();
    assert.deepEqual(devices(shifted), devices(plain));
    for (const [index, nic] of (shifted.nics ?? []).entries()) {
      assert.ok((nic.rxBytes ?? 0n) > (plain.nics?.[index]?.rxBytes ?? 0n), nic.device);
    }
  });
}

test("a domain without balloon has zeros or no fields for its values, and is not stuck", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t);
  endpoint.host.adjustStats = (_name, params) => {
    for (const field of params.keys())
      if (field.startsWith("balloon.") && !/\.(current|maximum|rss)$/.test(field)) params.delete(field);
  };
  const sample = await endpoint.sample();
  const totals = (onMissing: "Zero" | "Omit") =>
    points([sample], { onMissing, families: ["Totals"] })[0]?.fields ?? new Map<string, unknown>();
  assert.equal(totals("Zero").get("memusable"), 0n);
  assert.equal(totals("Zero").get("memrss"), sample.memory.rss);
  assert.equal(totals("Omit").has("memusable"), false);
  assert.equal(totals("Omit").get("memactual"), sample.memory.current);
});

test("a domain without disks is not stuck, whichever measurements are enabled", async (t) => {
  for (const needs of [[DEVICES, BALLOON, CPU_TIMES], [DEVICES]]) {
    const settings = { needs };
    const endpoint = await SimulatedEndpoint.start(t, { settings, shape: { nics: 1, disks: 0, seed: 1 } });
    endpoint.host.adjustStats = (_name, params) => {
      for (const field of params.keys()) if (field.startsWith("block.")) params.delete(field);
      params.set("block.count", 0);
    };
    endpoint.host.adjustXml = (_name, xml) => xml.replace(/<disk .*<\/disk>/, "");
    const sample = await endpoint.sample();
    assert.deepEqual([sample.nics?.length, sample.disks], [1, []]);
  }
});

for (const needs of [[DEVICES, BALLOON, CPU_TIMES], []]) {
  test(`a domain that does not run writes nothing (${needs.length > 0 ? "all" : "only vm_metrics"} enabled)`, async (t) => {
    const endpoint = await SimulatedEndpoint.start(t, { settings: { needs } });
    endpoint.host.inactive.add("vm-002");
    assert.deepEqual([...(await endpoint.samples()).keys()], ["vm-001", "vm-003"]);
  });
}

test("a domain keeps its identity object while it runs, so that its tags are escaped once", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t);
  const { identity } = await endpoint.sample();
  assert.equal((await endpoint.sample()).identity, identity);
});

test("no series gets two points with the same timestamp, in one cycle or in two", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: 5 });
  endpoint.host.adjustXml = (_name, xml) => xml.replace(/<interface .*<\/interface>/, "$&$&");
  const seen = new Set<string>();
  for (let cycle = 0; cycle < 4; cycle++) {
    if (cycle === 2) endpoint.host.stuck.add("vm-003");
    const { samples } = await endpoint.cycle();
    for (const { measurement, tags, timestamp } of points(samples)) {
      const point = JSON.stringify([measurement, ...tags, String(timestamp)]);
      assert.ok(!seen.has(point), point);
      seen.add(point);
    }
  }
  assert.ok(seen.size > 100);
});

test("only what the enabled measurements need is collected", async (t) => {
  const none = await SimulatedEndpoint.start(t, { settings: { needs: [] } });
  const { nics, disks, cpu, memory } = await none.sample();
  assert.deepEqual([nics, disks, memory.rss], [undefined, undefined, undefined]);
  assert.ok(cpu.time !== undefined && memory.current !== undefined);
  assert.equal(none.newCalls("CONNECT_GET_ALL_DOMAIN_STATS") + none.newCalls("DOMAIN_GET_XML_DESC"), 0);
  const some = await SimulatedEndpoint.start(t, { settings: { needs: [DEVICES] } });
  some.host.adjustStats = (_name, params) => {
    for (const field of params.keys()) assert.match(field, /^(net|block)\./);
  };
  assert.deepEqual((await some.sample()).disks?.length, 3);
});

test("the endpoint identifies domains by state and reason; others are not collected", async (t) => {
  const asked: unknown[] = [];
  const named = { name: "web", namespace: "shop" };
  const endpoint = await SimulatedEndpoint.start(t, {
    domains: 2,
    identify: ({ name }, state, reason) => {
      asked.push([name, state, reason]);
      return name === "vm-001" ? named : undefined;
    },
  });
  const { samples, stuck, errors } = await endpoint.cycle();
  assert.deepEqual(asked, [
    ["vm-001", 1, 1],
    ["vm-002", 1, 1],
  ]);
  assert.deepEqual([stuck, errors], [[], []]);
  assert.deepEqual(
    samples.map(({ identity }) => [identity.namespace, identity.name, identity.id]),
    [["shop", "web", 1]],
  );
  assert.equal(endpoint.newCalls("DOMAIN_GET_XML_DESC"), 1, "the XML of the other is not read");
});

test("a domain that must not be collected is left out and reported, and the others are collected", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, {
    domains: 2,
    identify: (domain) => {
      if (domain.name === "vm-001") throw new TelemetryError("E_DOMAIN_FOREIGN", "not of this launcher");
      return domain;
    },
  });
  const { samples, errors, outcome } = await endpoint.cycle();
  assert.deepEqual([outcome, errors.map(({ code }) => code)], ["collected", ["E_DOMAIN_FOREIGN"]]);
  assert.deepEqual(
    samples.map(({ identity }) => identity.name),
    ["vm-002"],
  );
});

test("the reason of a state is read even if no family needs the bulk statistics", async (t) => {
  const reasons: unknown[] = [];
  const endpoint = await SimulatedEndpoint.start(t, {
    domains: 1,
    settings: { needs: [] },
    identify: (domain, _state, reason) => {
      reasons.push(reason);
      return domain;
    },
  });
  const { nics } = await endpoint.sample();
  assert.deepEqual([reasons, nics], [[1], undefined]);
  assert.equal(endpoint.newCalls("DOMAIN_GET_XML_DESC"), 0);
});

test("a domain that is not collected here is not reported as stuck during an incoming migration", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, {
    identify: (domain) => (domain.name === "vm-002" ? undefined : domain),
  });
  endpoint.host.stuck.add("vm-002");
  assert.equal((await endpoint.samples()).size, 2);
});
