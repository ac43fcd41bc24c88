import type { LauncherBudget } from "../budget.ts";
import { BudgetError, TelemetryError, messageOf } from "../errors.ts";
import { LIMIT } from "../libvirt/protocol.ts";
import { FactElements, type DomainFacts } from "./domain-facts.ts";
import { attributeOf, scanXml, type XmlVisitor } from "./xml-scanner.ts";
import { copied, decoded, wholeNumber } from "./xml-text.ts";

/** The devices of a domain that the agent reports, in the order of its XML. */
export interface DomainLayout {
  readonly nics: readonly LayoutDevice[];
  readonly disks: readonly LayoutDevice[];
  /** The largest number of vCPUs that the domain can have. */
  readonly maxVcpus?: number;
  /** Seconds between two sets of values that the guest's balloon driver sends; undefined if it sends none. */
  readonly balloonPeriodS?: number;
  /** Targets of CD-ROM and floppy drives. The agent does not report them, but they are in the statistics. */
  readonly otherBlocks: ReadonlySet<string>;
  /** Present if they were asked for. */
  readonly facts?: DomainFacts | undefined;
}

export interface LayoutDevice {
  /** Target device: `tap0`, `vda`. */
  readonly device: string;
  /** The user's alias in the XML, without libvirt's prefix `ua-`. KubeVirt puts its volume and network names there. */
  readonly alias?: string;
}

/** For a daemon without a budget: the longest string that libvirt sends. */
const MAX_XML_LENGTH = LIMIT.STRING;
/** For a daemon without a budget, too. The kernel allows 31 characters. */
const MAX_NAME_LENGTH = 1024;
/** Values of the attribute `device` that the agent reports; a missing attribute means `disk`. */
const REPORTED_DISKS = new Set(["disk", "lun"]);

type Limits = Pick<LauncherBudget, "xmlLength" | "devices" | "deviceNameLength">;

/**
 * Returns the devices in the XML of the domain `name`, and its facts if `withFacts`. The time is proportional to the length of
 * the text, whatever is in it.
 * @throws {TelemetryError} E_DOMAIN_XML if the text is not a domain's XML, has a document type, or is larger than 4 MiB
 * @throws {BudgetError} if the text or the number of devices exceeds `limits`, or a name does
 */
export function parseDomainXml(name: string, xml: string, limits?: Limits, withFacts = false): DomainLayout {
  const invalid = (why: string): TelemetryError =>
    new TelemetryError("E_DOMAIN_XML", `libvirt's XML of the domain ${name} cannot be used: ${why}`);
  if (limits !== undefined && xml.length > limits.xmlLength)
    throw new BudgetError("XmlWork", `XML of more than ${limits.xmlLength} characters`);
  if (xml.length > MAX_XML_LENGTH) throw invalid(`it has ${xml.length} characters, more than ${MAX_XML_LENGTH}`);
  const devices = new DeviceElements(xml, limits);
  const facts = withFacts ? new FactElements(xml) : undefined;
  try {
    scanXml(xml, facts === undefined ? devices : both(devices, facts));
  } catch (error) {
    if (error instanceof BudgetError) throw error;
    throw invalid(messageOf(error));
  }
  if (!devices.isDomain) throw invalid("it has no <domain>");
  return facts === undefined ? devices.layout : { ...devices.layout, facts: facts.facts };
}

function both(one: XmlVisitor, other: XmlVisitor): XmlVisitor {
  return {
    opened(name, depth, attributes, contentAt) {
      one.opened(name, depth, attributes, contentAt);
      other.opened(name, depth, attributes, contentAt);
    },
    closed(depth) {
      one.closed(depth);
      other.closed(depth);
    },
  };
}

interface DeviceElement {
  readonly isNic: boolean;
  readonly isReported: boolean;
  device?: string | undefined;
  alias?: string | undefined;
}

/** Collects the devices from the elements of a domain's XML: `<domain><devices><disk><target dev='vda'/>`. */
class DeviceElements implements XmlVisitor {
  readonly #limits: Limits | undefined;
  /** By target: two devices with the same target would be one series, and count twice in the totals. The first counts. */
  readonly #nics = new Map<string, LayoutDevice>();
  readonly #disks = new Map<string, LayoutDevice>();
  readonly #otherBlocks = new Set<string>();
  /** The element at depth 2 is `<devices>`. */
  #inDevices = false;
  /** The `<disk>` or `<interface>` that is open. */
  #open: DeviceElement | undefined;
  #count = 0;
  #maxVcpus: number | undefined;
  #inBalloon = false;
  #balloonPeriodS: number | undefined;
  isDomain = false;
  readonly #xml: string;

  constructor(xml: string, limits: Limits | undefined) {
    this.#xml = xml;
    this.#limits = limits;
  }

  get layout(): DomainLayout {
    return {
      nics: [...this.#nics.values()],
      disks: [...this.#disks.values()],
      otherBlocks: this.#otherBlocks,
      ...(this.#maxVcpus !== undefined && { maxVcpus: this.#maxVcpus }),
      ...(this.#balloonPeriodS !== undefined && { balloonPeriodS: this.#balloonPeriodS }),
    };
  }

  opened(name: string, depth: number, attributes: string, contentAt: number): void {
    if (depth === 1) this.isDomain = name === "domain";
    else if (depth === 2) {
      this.#inDevices = this.isDomain && name === "devices";
      this.#inBalloon = false;
      if (this.isDomain && name === "vcpu") this.#maxVcpus ??= wholeNumber(this.#xml, contentAt);
    } else if (depth === 3 && this.#inDevices) this.#openDevice(name, attributes);
    else if (depth === 4) this.#openPart(name, attributes);
  }

  closed(depth: number): void {
    if (depth !== 3 || this.#open === undefined) return;
    const { isNic, isReported, device, alias } = this.#open;
    this.#open = undefined;
    // The host has no statistics for a device without a target.
    if (device === undefined || device === "") return;
    const devices = isNic ? this.#nics : this.#disks;
    if (!isReported) this.#otherBlocks.add(device);
    else if (!devices.has(device))
      devices.set(device, alias?.startsWith("ua-") ? { device, alias: alias.slice(3) } : { device });
  }

  #openDevice(name: string, attributes: string): void {
    this.#inBalloon = name === "memballoon";
    const isNic = name === "interface";
    if (!isNic && name !== "disk") return;
    if (this.#limits !== undefined && ++this.#count > this.#limits.devices)
      throw new BudgetError("Devices", `more than ${this.#limits.devices} devices in the XML`);
    this.#open = { isNic, isReported: isNic || REPORTED_DISKS.has(attributeOf(attributes, "device") ?? "disk") };
  }

  /** Takes an element of the device that is open. */
  #openPart(name: string, attributes: string): void {
    if (this.#inBalloon && name === "stats") this.#balloonPeriodS ??= periodIn(attributes);
    if (this.#open === undefined) return;
    if (name === "target") this.#open.device ??= this.#nameIn(attributes, "dev");
    else if (name === "alias") this.#open.alias ??= this.#nameIn(attributes, "name");
  }

  #nameIn(attributes: string, attribute: string): string | undefined {
    const value = attributeOf(attributes, attribute);
    if (value === undefined) return undefined;
    const { deviceNameLength: limit } = this.#limits ?? {};
    if (limit !== undefined && value.length > limit)
      throw new BudgetError("NameLength", `a device name of more than ${limit} characters`);
    if (value.length > MAX_NAME_LENGTH)
      throw new SyntaxError(`a device name has more than ${MAX_NAME_LENGTH} characters`);
    return copied(decoded(value));
  }
}

/** Returns the whole seconds of a balloon's `period`; undefined for 0, which means that the guest sends no values. */
function periodIn(attributes: string): number | undefined {
  const period = attributeOf(attributes, "period") ?? "";
  return /^[1-9][0-9]{0,9}$/.test(period) ? Number(period) : undefined;
}
