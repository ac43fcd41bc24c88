import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import type { DomainFacts } from "../../../src/discovery/domain-facts.ts";
import { parseDomainXml } from "../../../src/discovery/domain-layout.ts";

function factsOf(xml: string): DomainFacts {
  const { facts } = parseDomainXml("web", xml, undefined, true);
  assert.ok(facts !== undefined);
  return facts;
}

const DISK = {
  ...{ alias: undefined, kind: "disk", bus: undefined, cache: undefined, discard: undefined, format: undefined },
  ...{ serial: undefined, iopsLimit: undefined, bytesLimit: undefined },
};

test("the XML of a KubeVirt VM has its machine, disks and NICs", () => {
  assert.deepEqual(factsOf(readFileSync("test/fixtures/kubevirt-1.9/web.xml", "utf8")), {
    arch: "x86_64",
    machine: "pc-q35-10.0",
    cpuModel: "EPYC",
    firmware: "bios",
    pinnedVcpus: undefined,
    affinity: undefined,
    disks: [
      { ...DISK, device: "vda", alias: "rootdisk", bus: "virtio", cache: "none", discard: "unmap", format: "qcow2" },
      { ...DISK, device: "vdb", alias: "cloudinitdisk", bus: "virtio", cache: "none", discard: "unmap", format: "raw" },
    ],
    nics: [
      {
        device: "tap0",
        alias: "default",
        kind: "ethernet",
        mac: "82:cb:51:98:01:8f",
        model: "virtio-non-transitional",
        source: undefined,
        link: "up",
        mtu: 1500,
      },
    ],
  });
});

test("the facts are read only if they are asked for", () => {
  assert.ok(!("facts" in parseDomainXml("web", "<domain><os><type arch='x86_64'/></os></domain>")));
});

test("the firmware is that of the XML, else that of the loader, else the BIOS of a PC", () => {
  const firmware = (os: string): unknown => factsOf(`<domain>${os}</domain>`).firmware;
  assert.equal(firmware("<os firmware='efi'><type arch='aarch64'/></os>"), "efi");
  assert.equal(firmware("<os><type arch='x86_64'/><loader type='pflash'>/f</loader></os>"), "efi");
  assert.equal(firmware("<os><type arch='x86_64'/></os>"), "bios");
  assert.equal(firmware("<os><type arch='s390x'/></os>"), undefined);
});

test("the CPU is its model, or the mode of one that has none", () => {
  const model = (cpu: string): unknown => factsOf(`<domain>${cpu}</domain>`).cpuModel;
  assert.equal(
    model("<cpu mode='custom'><vendor>x</vendor><model fallback='allow'> Haswell </model></cpu>"),
    "Haswell",
  );
  assert.equal(model("<cpu mode='host-passthrough' check='none'/>"), "host-passthrough");
  assert.equal(model("<cpu><numa><cell><model>x</model></cell></numa></cpu>"), undefined);
});

test("pinned vCPUs have the CPUs of their own pin, else those of all vCPUs", () => {
  const pins = (vcpu: string, ...pinned: readonly string[]): unknown[] => {
    const elements = pinned.map((pin) => `<vcpupin vcpu='${pin.split(":")[0]}' cpuset='${pin.split(":")[1]}'/>`);
    const { pinnedVcpus, affinity } = factsOf(`<domain>${vcpu}<cputune>${elements.join("")}</cputune></domain>`);
    return [pinnedVcpus, affinity];
  };
  assert.deepEqual(pins("<vcpu>4</vcpu>"), [undefined, undefined]);
  assert.deepEqual(pins("<vcpu>4</vcpu>", "0:4", "1:5", "3:4"), ["0-1,3", "0:4 1:5 3:4"]);
  assert.deepEqual(pins("<vcpu cpuset='0-3,^2'>4</vcpu>", "2:8"), ["0-3", "0-1:0-3,^2 2:8 3:0-3,^2"]);
  const many = Array.from({ length: 300 }, (_, number) => `${number}:${300 - number}`);
  const [range, affinity] = pins("<vcpu>300</vcpu>", ...many);
  assert.equal(range, "0-299");
  assert.ok(typeof affinity === "string" && affinity.length <= 256 && /(^| )\d+:\d+$/.test(affinity), "whole entries");
  assert.deepEqual(pins("<vcpu>x</vcpu>", "-1:2", "99999:2", "a:3"), [undefined, undefined]);
});

test("a limit of a disk is the common one, or the sum of those for reads and writes", () => {
  const limits = (iotune: string): unknown => {
    const xml = `<domain><devices><disk><target dev='vda'/><iotune>${iotune}</iotune></disk></devices></domain>`;
    const [disk] = factsOf(xml).disks;
    return [disk?.iopsLimit, disk?.bytesLimit];
  };
  assert.deepEqual(limits("<total_iops_sec>500</total_iops_sec>"), [500, undefined]);
  assert.deepEqual(limits("<total_bytes_sec>104857600</total_bytes_sec><read_iops_sec>1</read_iops_sec>"), [
    undefined,
    104_857_600,
  ]);
  assert.deepEqual(limits("<read_iops_sec>100</read_iops_sec><write_iops_sec>200</write_iops_sec>"), [300, undefined]);
  assert.deepEqual(limits("<total_iops_sec>0</total_iops_sec><total_bytes_sec>-1</total_bytes_sec>"), [
    undefined,
    undefined,
  ]);
});

test("drives have their kind and NICs their source, and devices without a target have no facts", () => {
  const { disks, nics } = factsOf(`<domain><devices>
    <disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>
    <disk device='lun'><target dev='sdb' bus='scsi'/><serial>a&amp;b</serial></disk>
    <disk device='disk'/>
    <disk device='disk'><target dev='sdb'/></disk>
    <interface type='bridge'><source bridge='br0'/><target dev='vnet0'/><link state='down'/></interface>
    <interface type='network'><source network='lan' bridge='virbr0'/><target dev='vnet1'/><mtu size='x'/></interface>
    <interface type='direct'><source dev='eth0' mode='bridge'/><target dev='macvtap0'/></interface>
    <interface type='hostdev'><mac address='02:00:00:00:00:01'/></interface>
  </devices></domain>`);
  assert.deepEqual(
    disks.map(({ device, kind, serial }) => [device, kind, serial]),
    [
      ["sda", "cdrom", undefined],
      ["sdb", "lun", "a&b"],
    ],
  );
  assert.deepEqual(
    nics.map(({ device, kind, source, link, mtu }) => [device, kind, source, link, mtu]),
    [
      ["vnet0", "bridge", "br0", "down", undefined],
      ["vnet1", "network", "virbr0", "up", undefined],
      ["macvtap0", "direct", "eth0", "up", undefined],
    ],
  );
});

test("of an element that comes twice the first counts, and only its texts are copied", (t) => {
  const twice = (element: string): string => element + element.replaceAll("1", "2").repeat(100);
  const disk = twice("<driver cache='c1' type='t1'/>") + twice("<serial>s1</serial>") + "<target dev='vda'/>";
  const copies = t.mock.method(Buffer, "from");
  const facts = factsOf(
    `<domain>${twice("<vcpu cpuset='1'>1</vcpu>")}<cputune>${twice("<vcpupin vcpu='0' cpuset='1'/>")}</cputune>` +
      `<cpu>${twice("<model>m1</model>")}</cpu><devices><disk>${disk}</disk></devices></domain>`,
  );
  assert.deepEqual(facts.disks, [{ ...DISK, device: "vda", cache: "c1", format: "t1", serial: "s1" }]);
  assert.deepEqual([facts.cpuModel, facts.affinity], ["m1", "0:1"]);
  assert.ok(copies.mock.callCount() < 20, `${copies.mock.callCount()} copies`);
});

test("a pin of all vCPUs that comes twice counts once", () => {
  const { affinity } = factsOf("<domain><vcpu cpuset='1'>2</vcpu><vcpu cpuset='8'>4</vcpu></domain>");
  assert.equal(affinity, "0-1:1");
});

test("the facts of one domain have a bound, whatever its XML says", () => {
  const long = "v".repeat(300);
  const [disk] = factsOf(`<domain><devices><disk><target dev='vda' bus='${long}'/></disk></devices></domain>`).disks;
  assert.deepEqual(disk, { ...DISK, device: "vda" });
  const text = fc.integer({ min: 0, max: 256 });
  fc.assert(
    fc.property(fc.array(fc.tuple(text, text), { maxLength: 2_000 }), (sizes) => {
      const elements = sizes.map(
        ([bus, serial], index) =>
          `<disk><target dev='d${index}' bus='${"b".repeat(bus)}'/><serial>${"s".repeat(serial)}</serial></disk>`,
      );
      const { disks } = factsOf(`<domain><devices>${elements.join("")}</devices></domain>`);
      assert.ok(JSON.stringify(disks).length < 65_536 + disks.length * 128);
    }),
    { numRuns: 20 },
  );
});
