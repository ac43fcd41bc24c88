import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { VmiInventory } from "../../../src/discovery/inventory.ts";
import type { DomainRef } from "../../../src/libvirt/types.ts";
import { ALL_VMS, namingRules } from "../../../src/node/endpoints.ts";
import { SyntheticDomain } from "../../../src/simulator/synthetic-domain.ts";
import { SimulatedEndpoint } from "../../support/simulated-endpoint.ts";
import { vmi } from "../../support/vmis.ts";

const OWN: DomainRef = { name: "shop_web", uuid: "6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a01", id: 1 };
const OTHER = { name: "shop_db", uuid: "0d3f1f6c-0f0e-5b0c-8f8e-2f4f5f0b7a11", id: 2 };
const SHAPE = { nics: 1, disks: 1, seed: 1 };

/** A launcher of `shop/web` whose domain has this identity in the list of domains and another one in the statistics. */
async function launcher(t: TestContext, listed: DomainRef, inStats: DomainRef = listed) {
  const known = vmi({ firmwareUuid: OWN.uuid });
  const inventory = new VmiInventory([new Map([["shop/web", known]])], namingRules(ALL_VMS, "node-1"));
  const endpoint = await SimulatedEndpoint.start(t, {
    domains: 0,
    identify: (domain, state, reason) => inventory.identify("pod-1", domain, state, reason),
  });
  const domain = new SyntheticDomain(1, SHAPE, listed);
  let current = listed;
  Object.defineProperty(domain, "ref", { get: () => current });
  endpoint.host.addDomain(domain);
  endpoint.host.adjustStats = () => {
    current = inStats;
  };
  const cycle = async () => {
    current = listed;
    const { samples, errors } = await endpoint.cycle();
    return {
      names: samples.map(({ identity: { namespace, name, uuid } }) => `${namespace}/${name} ${uuid}`),
      errors: errors.map(({ code }) => code),
    };
  };
  return { endpoint, cycle };
}

test("a domain with the name and the UUID of its VMI is collected", async (t) => {
  const { cycle } = await launcher(t, OWN);
  assert.deepEqual(await cycle(), { names: [`shop/web ${OWN.uuid}`], errors: [] });
});

test("a domain with another name or UUID is not collected", async (t) => {
  for (const change of [{ name: OTHER.name }, { uuid: OTHER.uuid }, { name: "shop_we\u0062\u0301" }, OTHER]) {
    const { cycle } = await launcher(t, { ...OWN, ...change });
    assert.deepEqual(await cycle(), { names: [], errors: ["E_DOMAIN_FOREIGN"] }, JSON.stringify(change));
  }
});

test("statistics of another domain than the listed one give no line under any other name", async (t) => {
  for (const change of [{ name: OTHER.name }, { uuid: OTHER.uuid }, { id: OTHER.id }, OTHER]) {
    const { cycle } = await launcher(t, OWN, { ...OWN, ...change });
    const { names } = await cycle();
    assert.ok(
      names.every((name) => name === `shop/web ${OWN.uuid}`),
      `${JSON.stringify(change)}: ${names.join()}`,
    );
  }
});

test("a domain that takes another name between two cycles is collected only while it has its own", async (t) => {
  const { endpoint, cycle } = await launcher(t, OWN);
  assert.equal((await cycle()).names.length, 1);
  endpoint.host.domains.clear();
  endpoint.host.addDomain(new SyntheticDomain(1, SHAPE, { ...OWN, name: OTHER.name }));
  assert.deepEqual(await cycle(), { names: [], errors: ["E_DOMAIN_FOREIGN"] });
  endpoint.host.domains.clear();
  endpoint.host.addDomain(new SyntheticDomain(1, SHAPE, OWN));
  assert.deepEqual((await cycle()).names, [`shop/web ${OWN.uuid}`]);
});
