import assert from "node:assert/strict";
import { test } from "node:test";
import type { DomainSample } from "../../../../src/collection/domain-sample.ts";
import { SimulatedEndpoint } from "../../../support/simulated-endpoint.ts";

function devices({ nics = [], disks = [] }: DomainSample): string[] {
  return [...nics, ...disks].map(({ device }) => device);
}

test("a volume that replaces another on the same target has its own name in the next cycle", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: 1, shape: { nics: 0, disks: 1, seed: 7 } });
  const { host } = endpoint;
  const plug = (volume: string, index: number, path?: string): void => {
    host.adjustXml = (_name, xml) => xml.replace("<target dev='vda'", `<alias name='ua-${volume}'/>$&`);
    host.adjustStats = (_name, params) => {
      params.set("block.0.backingIndex", index);
      if (path === undefined) params.delete("block.0.path");
      else params.set("block.0.path", path);
    };
  };
  const volume = async (): Promise<unknown> => (await endpoint.sample()).disks?.[0]?.volume;
  plug("old", 2, "/claims/old.img");
  assert.deepEqual([await volume(), await volume()], ["old", "old"]);
  plug("new", 2, "/claims/new.img");
  assert.equal(await volume(), "new");
  plug("same-file", 3, "/claims/new.img");
  assert.equal(await volume(), "same-file");
  plug("network", 4);
  assert.equal(await volume(), "network");
  assert.equal(await volume(), "network");
  assert.equal(endpoint.newCalls("DOMAIN_GET_XML_DESC"), 4);
});

test("a disk that replaces a CD-ROM on the same target has lines in the next cycle", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: 1, shape: { nics: 0, disks: 1, seed: 7 } });
  assert.deepEqual(devices(await endpoint.sample()), ["vda"]);
  endpoint.host.adjustXml = (_name, xml) => xml.replace("device='cdrom'", "device='disk'");
  endpoint.host.adjustStats = (_name, params) => params.set("block.1.path", "/claims/data.img");
  assert.deepEqual(devices(await endpoint.sample()), ["vda", "sda"]);
});

test("an interface that replaces another on the same tap has its own name in the next cycle", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: 1, shape: { nics: 1, disks: 0, seed: 7 } });
  const { host } = endpoint;
  const plug = (network: string): void => {
    host.adjustXml = (_name, xml) => xml.replace("<target dev='vnet0'", `<alias name='ua-${network}'/>$&`);
  };
  const network = async (): Promise<unknown> => (await endpoint.sample()).nics?.[0]?.network;
  plug("old");
  assert.equal(await network(), "old");
  plug("new");
  host.adjustStats = (_name, params) => params.set("net.0.rx.bytes", 42n).set("net.0.tx.bytes", 0n);
  assert.deepEqual([await network(), await network()], ["new", "new"]);
  assert.equal(endpoint.newCalls("DOMAIN_GET_XML_DESC"), 2);
});
