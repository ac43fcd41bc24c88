// The worst domain XML that a launcher can send. Each text is read, or rejected, in at most 50 ms of CPU time.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LAUNCHER_BUDGET } from "../../../src/budget.ts";
import { parseDomainXml, type DomainLayout } from "../../../src/discovery/domain-layout.ts";
import { TelemetryError } from "../../../src/errors.ts";
import { assertCheap } from "../../support/cpu-time.ts";

const LENGTH = LAUNCHER_BUDGET.xmlLength;

/** Returns the result of a parse. Only planned errors are caught. */
function resultOf(xml: string): DomainLayout | TelemetryError {
  try {
    return parseDomainXml("web", xml, LAUNCHER_BUDGET, true);
  } catch (error) {
    assert.ok(error instanceof TelemetryError, String(error));
    return error;
  }
}

/** Parses a text within the limit. */
function parse(xml: string): DomainLayout | TelemetryError {
  const results: (DomainLayout | TelemetryError)[] = [];
  assertCheap(
    () => results.push(resultOf(xml)),
    () => xml.slice(0, 60),
  );
  return results[0] ?? assert.fail();
}

/** Returns a document of the longest length, filled with repetitions. */
function filled(repeat: string, before = "", after = ""): string {
  const around = "<domain></domain>".length + before.length + after.length;
  return `<domain>${before}${repeat.repeat(Math.floor((LENGTH - around) / repeat.length))}${after}</domain>`;
}

/** As `filled`, with another number in each repetition. */
function numbered(repeat: (number: number) => string, before = "", after = ""): string {
  const parts = Array.from({ length: LENGTH / repeat(100_000).length - 10 }, (_, index) => repeat(index));
  return `<domain>${before}${parts.join("")}${after}</domain>`;
}

const ATTACKS: Readonly<Record<string, string>> = {
  "empty elements": filled("<a/>"),
  "elements with text between them": filled("a<b/>"),
  "facts of devices": numbered(
    (number) =>
      `<disk><target dev='a${number}'/><serial>${number}</serial><iotune><read_iops_sec>1</read_iops_sec></iotune></disk>`,
    "<devices>",
    "</devices>",
  ),
  "pins of vCPUs": numbered((number) => `<vcpupin vcpu='${number}' cpuset='${number}'/>`, "<cputune>", "</cputune>"),
  "attributes of one element": filled(" type='a'", "<devices><disk", "/></devices>"),
  "elements with different names": numbered((number) => `<t${number}/>`),
  "elements with a namespace": filled("<a:b/>"),
  "elements named as members of objects": filled("<__proto__/><constructor/>"),
  "closing tags": filled("</a>"),
  "nested elements": filled("<a>"),
  "a long name": filled("a", "<", "/>"),
  "processing instructions": filled("<?a?>"),
  "unfinished processing instructions": filled("<?"),
  comments: filled("<!---->"),
  "unfinished comments": filled("<!--"),
  "character data": filled("<![CDATA[]]>"),
  "unfinished character data": filled("<![CDATA["),
  "a document type": filled("<!ENTITY a 'a'>", "<!DOCTYPE d ["),
  "dense attributes": filled("a='' ", "<a ", "/>"),
  "different attributes": numbered((number) => `a${number}='' `, "<a ", "/>"),
  "dense attributes of a device": filled("a='' ", "<devices><disk><target ", "/></disk></devices>"),
  "attributes without a value": filled("a ", "<devices><disk ", "/></devices>"),
  "attributes without quotes": filled("a= ", "<devices><disk ", "/></devices>"),
  "spaces in a tag": filled(" ", "<devices><disk a", "='1'/></devices>"),
  "spaces in a closing tag": filled(" ", "<a></a", ">"),
  "quotes of both kinds": filled('b="\'" ', "<devices><disk ", "/></devices>"),
  "unfinished quotes": filled("'\"", "<a b=", "/>"),
  "a long value": filled("x", "<devices><disk><target dev='", "'/></disk></devices>"),
  references: filled("&lt;", "<devices><disk><target dev='", "'/></disk></devices>"),
  "references in many devices": numbered(
    (number) => `<disk><target dev='${number}${"&#65;".repeat(40)}'/></disk>`,
    "<devices>",
    "</devices>",
  ),
  devices: filled("<disk/>", "<devices>", "</devices>"),
  "devices with different names": numbered(
    (number) => `<disk><target dev='${number}'/></disk>`,
    "<devices>",
    "</devices>",
  ),
  "devices with the same name": filled("<interface><target dev='a'/></interface>", "<devices>", "</devices>"),
  "less-than signs": filled("<"),
  "greater-than signs": filled(">"),
  text: filled("a"),
};

for (const [what, xml] of Object.entries(ATTACKS)) {
  test(`the longest text of ${what} costs at most 50 ms`, () => {
    assert.ok(xml.length <= LENGTH && xml.length > 0.75 * LENGTH, String(xml.length));
    parse(xml);
  });
}

test("XML over a limit is rejected with the reason", () => {
  const disk = (name: string): string => `<domain><devices><disk><target dev='${name}'/></disk></devices></domain>`;
  const reasons = [
    " ".repeat(LENGTH + 1),
    ATTACKS["devices"] ?? "",
    disk("v".repeat(257)),
    `<domain><devices><disk><target dev='a'/><alias name='ua-${"v".repeat(254)}'/></disk></devices></domain>`,
  ].map((xml) => (parse(xml) as { rejection?: string }).rejection);
  assert.deepEqual(reasons, ["XmlWork", "Devices", "NameLength", "NameLength"]);
});

test("the XML of the largest VM, with 250 disks and 20 NICs, has half of the length that is allowed", () => {
  const disks = Array.from(
    { length: 250 },
    (_, index) =>
      `<disk type='block' device='disk' model='virtio-non-transitional'>
      <driver name='qemu' type='raw' cache='none' error_policy='stop' io='native' discard='unmap'/>
      <source dev='/var/run/kubevirt/hotplug-disks/volume-${index}' index='${index + 3}'/><backingStore/>
      <target dev='sd${index}' bus='scsi'/><serial>0123456789</serial><alias name='ua-${"volume".repeat(10)}-${index}'/>
      <address type='drive' controller='0' bus='0' target='0' unit='${index}'/></disk>`,
  );
  const nics = Array.from(
    { length: 20 },
    (_, index) =>
      `<interface type='ethernet'><mac address='02:00:00:00:00:${index}'/><target dev='tap${index}' managed='no'/>
      <model type='virtio-non-transitional'/><mtu size='1500'/><alias name='ua-net-${index}'/><rom enabled='no'/></interface>`,
  );
  const xml = `<domain type='kvm' id='1'><devices>${disks.join("\n")}${nics.join("\n")}</devices></domain>`;
  const layout = parse(xml);
  assert.ok(!(layout instanceof Error));
  assert.deepEqual([layout.disks.length, layout.nics.length], [250, 20]);
  assert.ok(xml.length > 100_000 && xml.length < LENGTH / 2, String(xml.length));
});

test("any mixture of markup is read or rejected within 50 ms", () => {
  const piece = fc.constantFrom(
    ...[
      "<",
      ">",
      "/",
      "=",
      "'",
      '"',
      "<a",
      "<a ",
      "</a>",
      "<!--",
      "-->",
      "<![CDATA[",
      "]]>",
      "<?",
      "?>",
      "&lt;",
      "&#65;",
    ],
    ...[" ", "a", "<devices>", "</devices>", "<disk>", "</disk>", "<disk/>", "<target dev='", "'/>", "\n", "a='b' "],
  );
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 12 }), fc.boolean(), (pieces, inDevices) => {
      parse(inDevices ? filled(pieces.join(""), "<devices>", "</devices>") : filled(pieces.join("")));
    }),
    { numRuns: 200 },
  );
});
