import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseDomainXml } from "../../../src/discovery/domain-layout.ts";
import { TelemetryError } from "../../../src/errors.ts";
import { INHERITED_NAMES } from "../../support/inherited-names.ts";

const KUBEVIRT = `
<domain type='kvm' id='1'>
  <name>shop_web</name>
  <devices>
    <disk type='file' device='disk'><target dev='vda' bus='virtio'/><alias name='ua-rootdisk'/></disk>
    <disk type='block' device='lun'><target dev='sda' bus='scsi'/><alias name='ua-lun'/></disk>
    <disk type='file' device='cdrom'><target dev='sdb' bus='sata'/></disk>
    <disk type='file' device='floppy'><target dev='fda'/></disk>
    <disk type='file'><target dev='vdb'/><alias name='virtio-disk1'/></disk>
    <interface type='ethernet'><mac address='02:00:00:00:00:01'/><target dev='tap0'/><alias name='ua-default'/></interface>
    <interface type='hostdev'><mac address='02:00:00:00:00:02'/></interface>
    <interface type='ethernet'><target dev='a&amp;b&#x41;'/></interface>
  </devices>
</domain>`;

test("disks and luns are reported, drives are not; aliases lose libvirt's prefix", () => {
  assert.deepEqual(parseDomainXml("web", KUBEVIRT), {
    nics: [{ device: "tap0", alias: "default" }, { device: "a&bA" }],
    disks: [{ device: "vda", alias: "rootdisk" }, { device: "sda", alias: "lun" }, { device: "vdb" }],
    otherBlocks: new Set(["sdb", "fda"]),
  });
});

test("of two devices with the same target the first is reported", () => {
  const device = (alias: string): string => `<interface><target dev='tap0'/><alias name='ua-${alias}'/></interface>`;
  const disk = "<disk><target dev='vda'/></disk>";
  const { nics, disks } = parseDomainXml(
    "web",
    `<domain><devices>${device("first")}${device("second")}${disk}${disk}</devices></domain>`,
  );
  assert.deepEqual(nics, [{ device: "tap0", alias: "first" }]);
  assert.deepEqual(disks, [{ device: "vda" }]);
});

test("a domain without devices has an empty layout", () => {
  const none = { nics: [], disks: [], otherBlocks: new Set() };
  assert.deepEqual(parseDomainXml("web", "<domain><name>a</name></domain>"), none);
  assert.deepEqual(parseDomainXml("web", "<domain><devices/></domain>"), none);
});

for (const [what, balloon, period] of [
  ["the period of the balloon", "<memballoon model='virtio'><stats period='10'/></memballoon>", 10],
  ["no period without one", "<memballoon model='virtio'><alias name='balloon0'/></memballoon>", undefined],
  ["no period for 0 seconds", "<memballoon model='virtio'><stats period='0'/></memballoon>", undefined],
  ["no period that is not a number", "<memballoon model='virtio'><stats period='1e3'/></memballoon>", undefined],
  ["no period of another device", "<memballoon model='none'/><video><stats period='10'/></video>", undefined],
] as const)
  test(`a layout has ${what}`, () => {
    const xml = `<domain><devices>${balloon}</devices><metadata><a><stats period='7'/></a></metadata></domain>`;
    assert.equal(parseDomainXml("web", xml).balloonPeriodS, period);
  });

test("a document type is rejected, so entities are not expanded", () => {
  const bomb = `<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><domain><name>&b;</name></domain>`;
  assert.throws(() => parseDomainXml("web", bomb), { code: "E_DOMAIN_XML" });
});

for (const [what, xml] of [
  ["an empty text", ""],
  ["another document", "<network/>"],
  ["an incomplete document", KUBEVIRT.slice(0, 300)],
  ["a text over the limit", `<domain>${"x".repeat(4 << 20)}</domain>`],
] as const) {
  test(`${what} is E_DOMAIN_XML`, () => {
    assert.throws(() => parseDomainXml("web", xml), { code: "E_DOMAIN_XML" });
  });
}

test("any text is parsed or is E_DOMAIN_XML", () => {
  const mutated = fc
    .tuple(fc.nat(KUBEVIRT.length), fc.nat(40), fc.string())
    .map(([at, cut, text]) => KUBEVIRT.slice(0, at) + text + KUBEVIRT.slice(at + cut));
  fc.assert(
    fc.property(fc.oneof(fc.string(), mutated), (xml) => {
      try {
        parseDomainXml("web", xml);
      } catch (error) {
        assert.ok(error instanceof TelemetryError);
        assert.equal(error.code, "E_DOMAIN_XML");
      }
    }),
    { numRuns: 2_000 },
  );
});

test("elements, attributes and entities named constructor do not hide a device", () => {
  for (const name of INHERITED_NAMES) {
    const metadata = `<metadata><${name} ${name}='1'><${name}/></${name}></metadata>`;
    const xml = KUBEVIRT.replace("<devices>", `${metadata}<devices>`).replace("ua-rootdisk", `ua-&${name};`);
    const alias = /^[a-z]+$/i.test(name) ? `&${name};` : "";
    const layout = parseDomainXml("web", xml);
    assert.equal(layout.disks.length, 3, name);
    if (alias !== "") assert.equal(layout.disks[0]?.alias, alias);
  }
});

test("the error names the domain", () => {
  assert.throws(() => parseDomainXml("shop_web", "<domain>"), /XML of the domain shop_web cannot be used/);
});

/** Returns XML with one disk, and `text` in the place of its backing chain. */
function withChain(text: string): string {
  return `<domain><devices><disk>${text}<target dev='vda'/><alias name='ua-root'/></disk></devices></domain>`;
}

const ROOT_DISK = { nics: [], disks: [{ device: "vda", alias: "root" }], otherBlocks: new Set() };

for (const [what, xml] of [
  [
    "a backing chain of 200 images with slices and encryption",
    withChain(
      "<backingStore><source file='/a'><encryption><secret type='a'/></encryption></source>".repeat(200) +
        "</backingStore>".repeat(200),
    ),
  ],
  ["a document type in a comment", withChain("<!-- <!DOCTYPE a [<!ENTITY b 'c'>]> -->")],
  ["a document type in CDATA", withChain("<![CDATA[<!DOCTYPE a [<!ENTITY b 'c'>]>]]>")],
  [
    "4 MiB of metadata",
    withChain("").replace("<devices>", `<metadata>${"<a b='c'/>".repeat(400_000)}</metadata><devices>`),
  ],
  ...["constructor", "prototype", "__proto__", "hasOwnProperty"].map(
    (name) =>
      [
        `elements named ${name}`,
        withChain(`<${name}/>`).replace("<devices>", `<${name} dev='a'><${name}/></${name}><devices>`),
      ] as const,
  ),
] as const) {
  test(`${what} is valid XML of a domain`, () => {
    assert.deepEqual(parseDomainXml("web", xml), ROOT_DISK);
  });
}
