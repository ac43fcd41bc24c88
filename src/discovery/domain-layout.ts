import { XMLParser } from "fast-xml-parser";
import { TelemetryError, messageOf } from "../errors.ts";
import { ownValue } from "../lib/own-value.ts";

/** The devices of a domain that the agent reports, in the order of its XML. */
export interface DomainLayout {
  readonly nics: readonly LayoutDevice[];
  readonly disks: readonly LayoutDevice[];
  /** Targets of CD-ROM and floppy drives. The agent does not report them, but they are in the statistics. */
  readonly otherBlocks: ReadonlySet<string>;
}

export interface LayoutDevice {
  /** Target device: `tap0`, `vda`. */
  readonly device: string;
  /** The user's alias in the XML, without libvirt's prefix `ua-`. KubeVirt puts its volume and network names there. */
  readonly alias?: string;
}

/** Far more than a domain with hundreds of devices needs. */
const MAX_XML_LENGTH = 1024 * 1024;
/** Values of the attribute `device` that the agent reports; a missing attribute means `disk`. */
const REPORTED_DISKS = new Set(["disk", "lun"]);

const RESERVED_NAMES = new Set(["__proto__", "constructor", "prototype"]);

// The parser does not expand entities: `decode` does, and a document type is an error.
const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: "@",
  parseTagValue: false,
  parseAttributeValue: false,
  processEntities: false,
  // The parser rejects elements with these names, but any application may put them into <metadata>.
  transformTagName: (name) => (RESERVED_NAMES.has(name) ? `_${name}` : name),
  isArray: (name) => name === "interface" || name === "disk",
});

/**
 * Returns the devices in a domain's XML.
 * @throws {TelemetryError} E_DOMAIN_XML if the text is not a domain's XML, has a document type, or is larger than 1 MiB
 */
export function parseDomainXml(xml: string): DomainLayout {
  if (xml.length > MAX_XML_LENGTH) throw invalid(`it has ${xml.length} characters, more than ${MAX_XML_LENGTH}`);
  if (/<!DOCTYPE/i.test(xml)) throw invalid("it has a document type declaration");
  // The parser accepts a truncated document.
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

/** Returns each target once. Two devices with the same name would be one series, and count twice in the totals. */
function layoutDevices(elements: readonly unknown[]): readonly LayoutDevice[] {
  const byTarget = new Map<string, LayoutDevice>();
  for (const found of elements.flatMap(layoutDevice))
    if (!byTarget.has(found.device)) byTarget.set(found.device, found);
  return [...byTarget.values()];
}

/** Returns the device in a list; empty for a device without a target, because the host has no statistics for it. */
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
