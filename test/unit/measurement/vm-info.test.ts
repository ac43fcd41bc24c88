import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { DomainSample } from "../../../src/collection/domain-sample.ts";
import { VM_INFO, type VmInfo } from "../../../src/collection/libvirt/vm-info.ts";
import type { Family } from "../../../src/contract.ts";
import type { VmFacts } from "../../../src/discovery/named-domain.ts";
import { Encoder } from "../../../src/measurement/encoder.ts";
import { newLineCounters } from "../../../src/measurement/line-protocol.ts";
import { needsOf } from "../../../src/measurement/registry.ts";
import { ALL, encode, points } from "../../support/encode.ts";
import { sample } from "../../support/samples.ts";
import { SimulatedEndpoint } from "../../support/simulated-endpoint.ts";

const FAMILIES = ["Info"] as const;

const DOMAIN: VmInfo["domain"] = {
  arch: "x86_64",
  machine: "pc-q35-rhel9.6.0",
  cpuModel: "Skylake-Server",
  firmware: "efi",
  pinnedVcpus: "0-1",
  affinity: "0:4 1:5",
};

const FACTS: VmFacts = {
  ...{ uid: "544ef078-6d2e-4a6f-abf0-8c8e6d42fcf3", pod: "2f3cb772-045b-4272-9e1a-bec3dfde68cf" },
  ...{ instanceType: "u1.medium", preference: "fedora", guestOs: "Fedora Linux 42", phase: "Running" },
  ...{ cpuRequestMilli: 500, cpuLimitMilli: 2_000, memoryRequestKib: 1_048_576, memoryLimitKib: 2_097_152 },
  ...{ isMigratable: true, isLauncherOutdated: false, isAgentConnected: true },
  addresses: { default: "10.0.2.2" },
};

const INFO: VmInfo = {
  domain: DOMAIN,
  facts: FACTS,
  nicCount: 1,
  diskCount: 1,
  disks: [
    {
      ...{ device: "vda", alias: "rootdisk", kind: "disk", bus: "virtio", cache: "none", discard: "unmap" },
      ...{ format: "qcow2", serial: "root-1", iopsLimit: 500, bytesLimit: 104_857_600, claim: "web-root" },
    },
    {
      ...{ device: "sda", alias: undefined, kind: "cdrom", bus: "sata", cache: undefined, discard: undefined },
      ...{ format: undefined, serial: undefined, iopsLimit: undefined, bytesLimit: undefined, claim: undefined },
    },
  ],
  nics: [
    {
      ...{ device: "tap0", alias: "default", kind: "bridge", mac: "02:00:00:00:00:01", model: "virtio" },
      ...{ source: "br0", link: "up", mtu: 1450, address: "10.0.2.2" },
    },
  ],
};

function withInfo(info: Partial<VmInfo> = {}): DomainSample {
  return sample({ readings: new Map([[VM_INFO, { info: { ...INFO, ...info }, isChanged: false }]]) });
}

/** Starts a daemon with one VM. `cycle` returns the lines of a cycle in which only these families are due. */
async function oneVm(t: Parameters<typeof SimulatedEndpoint.start>[0], all: readonly Family[], facts?: VmFacts) {
  const vm = { name: "web", namespace: "shop", labels: {}, tags: [], ...(facts !== undefined && { facts }) };
  const named = { current: vm };
  const needs = needsOf(all);
  const endpoint = await SimulatedEndpoint.start(t, {
    domains: 1,
    shape: { nics: 1, disks: 1, seed: 1 },
    settings: { needs },
    identify: () => named.current,
  });
  const encoder = new Encoder({ ...ALL, families: all }, newLineCounters(), () => undefined);
  return {
    endpoint,
    named,
    async cycle(due: readonly Family[]): Promise<readonly string[]> {
      const { samples } = await endpoint.cycle(due.length === all.length ? needs : needsOf(due));
      for (const one of samples) encoder.encode(one, undefined, new Set(due));
      const text = Buffer.from(encoder.take().bytes).toString();
      return [...text.matchAll(/^(vm_\w+),/gm)].map(([, measurement = ""]) => measurement);
    },
  };
}

const LINES = ["vm_info", "vm_disk_info", "vm_disk_info", "vm_nic_info"];

test("a VM, its drives and its NICs have lines with all fields in the order of the contract", () => {
  const { text, missing } = encode([withInfo()], { families: FAMILIES });
  assert.equal(text, readFileSync("test/golden/lines/info.lp", "utf8"));
  assert.deepEqual(missing, []);
});

test("facts that are not known are left out even with Zero", () => {
  const none = { ...DOMAIN, ...{ arch: undefined, machine: undefined, cpuModel: undefined, firmware: undefined } };
  const bare = withInfo({ domain: { ...none, pinnedVcpus: undefined, affinity: undefined }, facts: undefined });
  const [vm] = points([bare], { families: FAMILIES });
  assert.deepEqual(Object.fromEntries(vm?.fields ?? []), { nics: 1n, disks: 1n });
  assert.equal(encode([sample()], { families: FAMILIES }).text, "");
});

test("a fact from outside stays one text of a line, whatever it contains", () => {
  const guestOs = `Fedora "42", a=b \\ \n vm_info,name=other uid="x" \ud800${"y".repeat(300)}`;
  const { text, counters, lines } = encode([withInfo({ facts: { ...FACTS, guestOs } })], { families: FAMILIES });
  assert.equal(text.split("\n").length, lines + 1);
  const [vm] = points([withInfo({ facts: { ...FACTS, guestOs } })], { families: FAMILIES });
  const written = String(vm?.fields.get("guest_os"));
  assert.ok(written.startsWith('Fedora "42", a=b \\   vm_info') && written.isWellFormed() && written.length === 256);
  assert.equal(counters.sanitizedTags, 1);
});

test("the lines of a simulated VM have its machine, its disk and its NIC", async (t) => {
  const { endpoint } = await oneVm(t, FAMILIES);
  const written = points([await endpoint.sample("web")], { families: FAMILIES });
  const fields = written.map(({ fields: all }) => Object.fromEntries(all));
  const { ref } = endpoint.domain("vm-001");
  assert.deepEqual(fields, [
    {
      ...{ machine: "pc-q35-9.2", arch: "x86_64", cpu_model: "Skylake-Server", firmware: "efi", nics: 1n, disks: 1n },
      ...{ affinity: "0:8 1:9 2:10 3:11 4:12 5:13 6:14 7:15", pinned_vcpus: "0-7" },
    },
    {
      ...{ bus: "virtio", cache: "none", discard: "unmap", format: "qcow2", kind: "disk" },
      ...{ bytes_limit: 209_715_200n, iops_limit: 2_000n },
      serial: `vda-${ref.uuid.slice(0, 8)}`,
    },
    { bus: "sata", kind: "cdrom" },
    { mac: fields[3]?.["mac"], model: "virtio", kind: "bridge", source: "br0", link: "up", mtu: 1450n },
  ]);
  assert.match(String(fields[3]?.["mac"]), /^52:54:00(:[0-9a-f]{2}){3}$/);
});

test("a change of the VMI or of the XML is written at once, and nothing in the cycles after it", async (t) => {
  const all: readonly Family[] = ["Metrics", "Devices", "Info"];
  const { endpoint, named, cycle } = await oneVm(t, all, FACTS);
  const others: readonly Family[] = ["Metrics", "Devices"];
  const usual = ["vm_metrics", "vm_devices", "vm_devices"];
  assert.deepEqual(await cycle(all), [...usual, ...LINES]);
  assert.deepEqual(await cycle(others), usual);
  named.current = { ...named.current, facts: { ...FACTS } };
  assert.deepEqual(await cycle(others), usual, "the VMI has changed, but no fact");
  named.current = { ...named.current, facts: { ...FACTS, isAgentConnected: false } };
  assert.deepEqual(await cycle(others), [...usual, ...LINES]);
  assert.deepEqual(await cycle(others), usual);
  endpoint.host.adjustXml = (_name, xml) => xml.replace("cache='none'", "cache='writeback'");
  endpoint.host.adjustStats = (_name, params) => params.set("block.0.path", "/other.img");
  assert.deepEqual(await cycle(others), [...usual, ...LINES]);
  assert.deepEqual(await cycle(others), usual);
});

test("the family costs no call beside Devices, and reads no XML in cycles without devices", async (t) => {
  const { endpoint, cycle } = await oneVm(t, ["Metrics", "Devices", "Info"]);
  await cycle(["Metrics", "Devices", "Info"]);
  const calls = (): number[] =>
    (["DOMAIN_GET_XML_DESC", "CONNECT_GET_ALL_DOMAIN_STATS"] as const).map((name) => endpoint.newCalls(name));
  assert.deepEqual(calls(), [1, 1]);
  await cycle(["Metrics", "Devices"]);
  assert.deepEqual(calls(), [0, 1]);
  assert.deepEqual(await cycle(["Metrics"]), ["vm_metrics"]);
  assert.deepEqual(calls(), [0, 1], "the bulk call is for the state, which names the VM");
});

test("facts are kept only while the family is on", async (t) => {
  const { endpoint } = await oneVm(t, FAMILIES);
  const isRead = async (): Promise<boolean> => {
    await endpoint.sample("web");
    return endpoint.newCalls("DOMAIN_GET_XML_DESC") > 0;
  };
  const configure = (families: readonly Family[]): void => {
    endpoint.source.configure({ timeoutMs: 4_000, deviceCacheTtlMs: 300_000, needs: needsOf(families) });
  };
  assert.deepEqual([await isRead(), await isRead()], [true, false]);
  configure(["Devices"]);
  assert.deepEqual([await isRead(), (await endpoint.sample("web")).readings], [false, undefined]);
  configure(["Devices", "Info"]);
  assert.deepEqual([await isRead(), await isRead()], [true, false], "the facts had been deleted");
});
