import { XMLParser } from "fast-xml-parser";
import { TelemetryError, messageOf } from "../errors.ts";
import { ownValue } from "../lib/own-value.ts";

/** The devices of a domain that telemetry reports, in the order of its XML. */
export interface DomainLayout {
  readonly nics: readonly LayoutDevice[];
  readonly disks: readonly LayoutDevice[];
  /** Targets of block devices that are not reported: CD-ROM and floppy drives. The statistics name them too. */
  readonly otherBlocks: ReadonlySet<string>;
}

export interface LayoutDevice {
  /** Target device: `tap0`, `vda`. */
  readonly device: string;
  /** The name that the user gave in the XML, without libvirt's `ua-`; KubeVirt puts its volume and network names there. */
  readonly alias?: string;
}

/** A domain with hundreds of devices stays far below this. */
const MAX_XML_LENGTH = 1024 * 1024;
/** Disks of these kinds count as disks; a missing attribute means `disk`. */
const REPORTED_DISKS = new Set(["disk", "lun"]);

const RESERVED_NAMES = new Set(["__proto__", "constructor", "prototype"]);

// Entities are not expanded: a document type is refused below, and attribute values are decoded here.
const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: "@",
  parseTagValue: false,
  parseAttributeValue: false,
  processEntities: false,
  // The parser refuses elements of these names, which any application may have put into <metadata>.
  transformTagName: (name) => (RESERVED_NAMES.has(name) ? `_${name}` : name),
  isArray: (name) => name === "interface" || name === "disk",
});

/**
 * Reads the devices out of a domain's XML.
 * @throws {TelemetryError} E_DOMAIN_XML when it is not a domain's XML, has a document type, or is over 1 MiB.
 */
export function parseDomainXml(xml: string): DomainLayout {
  if (xml.length > MAX_XML_LENGTH) throw invalid(`it has ${xml.length} characters, more than ${MAX_XML_LENGTH}`);
  if (/<!DOCTYPE/i.test(xml)) throw invalid("it has a document type declaration");
  // The parser takes what it gets of a document that ends early.
  if (!/<\/domain>\s*$/.test(xml)) throw invalid("it does not end with </domain>");
  let document: unknown;
  try {
    document = parser.parse(xml);
  } catch (error) {
    throw invalid(messageOf(error));
  }
  const domain = child(document, "domain");
  if (domain === undefined) throw invalid("it has no <domain>");
  const devices = child(domain, "devices");
  const disks = children(devices, "disk");
  return {
    nics: layoutDevices(children(devices, "interface")),
    disks: layoutDevices(disks.filter(isReportedDisk)),
    otherBlocks: new Set(
      disks.filter((disk) => !isReportedDisk(disk)).flatMap((disk) => attribute(child(disk, "target"), "dev") ?? []),
    ),
  };
}

function invalid(why: string): TelemetryError {
  return new TelemetryError("E_DOMAIN_XML", `libvirt's XML of the domain cannot be used: ${why}`);
}

function isReportedDisk(disk: unknown): boolean {
  return REPORTED_DISKS.has(attribute(disk, "device") ?? "disk");
}

/** Each target once: two devices of one name would be one series, and count twice in the totals. */
function layoutDevices(elements: readonly unknown[]): readonly LayoutDevice[] {
  const byTarget = new Map<string, LayoutDevice>();
  for (const found of elements.flatMap(layoutDevice))
    if (!byTarget.has(found.device)) byTarget.set(found.device, found);
  return [...byTarget.values()];
}

/** None for a device without a target: the host has nothing to count there. */
function layoutDevice(element: unknown): LayoutDevice[] {
  const device = attribute(child(element, "target"), "dev");
  if (device === undefined || device === "") return [];
  const alias = attribute(child(element, "alias"), "name");
  return [alias?.startsWith("ua-") ? { device, alias: alias.slice(3) } : { device }];
}

function child(parent: unknown, name: string): unknown {
  return typeof parent === "object" && parent !== null ? (parent as Record<string, unknown>)[name] : undefined;
}

function children(parent: unknown, name: string): readonly unknown[] {
  const value = child(parent, name);
  return Array.isArray(value) ? value : [];
}

function attribute(element: unknown, name: string): string | undefined {
  const value = child(element, `@${name}`);
  return typeof value === "string" ? decode(value) : undefined;
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function decode(text: string): string {
  return text.replace(
    /&(?:#x([0-9a-f]{1,6})|#([0-9]{1,7})|([a-z]+));/gi,
    (whole, hex?: string, dec?: string, name?: string) => {
      if (name !== undefined) return ownValue(ENTITIES, name) ?? whole;
      const code = hex === undefined ? Number(dec) : Number.parseInt(hex, 16);
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}
