import { attributeOf, type XmlVisitor } from "./xml-scanner.ts";
import { copied, decoded, textAt, wholeNumber } from "./xml-text.ts";
import { VcpuPins } from "./vcpu-pins.ts";

/** What the XML says about a domain besides the names of its devices. */
export interface DomainFacts {
  readonly arch: string | undefined;
  readonly machine: string | undefined;
  /** The model, or the mode if the XML has no model, such as `host-passthrough`. */
  readonly cpuModel: string | undefined;
  /** `efi` or `bios`. */
  readonly firmware: string | undefined;
  /** vCPUs that may not run on every CPU, such as `0-1`. */
  readonly pinnedVcpus: string | undefined;
  /** vCPUs and the CPUs that they may run on, such as `0:4 1:5`. */
  readonly affinity: string | undefined;
  /** All drives, also CD-ROMs and floppies, in the order of the XML. */
  readonly disks: readonly DiskFacts[];
  readonly nics: readonly NicFacts[];
}

interface DeviceFacts {
  readonly device: string;
  /** KubeVirt's name of the volume or network. */
  readonly alias: string | undefined;
}

export interface DiskFacts extends DeviceFacts {
  /** `disk`, `lun`, `cdrom` or `floppy`. */
  readonly kind: string;
  readonly bus: string | undefined;
  readonly cache: string | undefined;
  readonly discard: string | undefined;
  readonly format: string | undefined;
  readonly serial: string | undefined;
  /** Requests and bytes in a second, reads and writes together; undefined without a limit. */
  readonly iopsLimit: number | undefined;
  readonly bytesLimit: number | undefined;
}

export interface NicFacts extends DeviceFacts {
  /** The type of the interface, such as `bridge`. */
  readonly kind: string | undefined;
  readonly mac: string | undefined;
  readonly model: string | undefined;
  /** The bridge, network or device of the host. */
  readonly source: string | undefined;
  /** `up` or `down`. Without the element it is up. */
  readonly link: string;
  readonly mtu: number | undefined;
}

/** Longest fact; a longer one is left out. */
const MAX_LENGTH = 256;
/** Characters of all facts of a domain. The largest VM has 40,000. Devices that do not fit are left out. */
const MAX_CHARACTERS = 64 << 10;
/** Memory of a device besides its texts, counted as characters. */
const DEVICE_CHARACTERS = 32;

/** Element of a device -> the attributes that are facts. */
const DEVICE_ATTRIBUTES: ReadonlyMap<string, readonly string[]> = new Map([
  ["driver", ["cache", "discard", "type"]],
  ["target", ["dev", "bus"]],
  ["alias", ["name"]],
  ["mac", ["address"]],
  ["model", ["type"]],
  ["source", ["bridge", "network", "dev"]],
  ["link", ["state"]],
  ["mtu", ["size"]],
]);
const DEVICE_TEXTS = new Set(["serial"]);
const LIMITS = new Set(
  ["iops", "bytes"].flatMap((unit) => ["total", "read", "write"].map((what) => `${what}_${unit}_sec`)),
);

/** The values of an element and those in it, such as `target@dev` or `serial`. */
type Texts = Map<string, string>;

/** Collects the facts from the elements of a domain's XML. Of an element that comes twice, the first counts. */
export class FactElements implements XmlVisitor {
  readonly #xml: string;
  readonly #pins = new VcpuPins();
  readonly #domain: Texts = new Map();
  readonly #disks = new Map<string, DiskFacts>();
  readonly #nics = new Map<string, NicFacts>();
  #left = MAX_CHARACTERS;
  /** The element at depth 2. */
  #section = "";
  /** The `<disk>` or `<interface>` that is open. */
  #open: { readonly isNic: boolean; readonly texts: Texts } | undefined;
  /** The element at depth 4 is `<iotune>`. */
  #inLimits = false;

  constructor(xml: string) {
    this.#xml = xml;
  }

  get facts(): DomainFacts {
    const text = (key: string): string | undefined => this.#domain.get(key);
    return {
      arch: text("type@arch"),
      machine: text("type@machine"),
      cpuModel: text("model") ?? text("cpu@mode"),
      firmware: firmwareOf(this.#domain),
      pinnedVcpus: this.#pins.pinned,
      affinity: this.#pins.affinity,
      disks: [...this.#disks.values()],
      nics: [...this.#nics.values()],
    };
  }

  opened(name: string, depth: number, attributes: string, contentAt: number): void {
    if (depth === 2) {
      this.#section = name;
      if (name === "os") this.#take(this.#domain, name, attributes, ["firmware"]);
      else if (name === "cpu") this.#take(this.#domain, name, attributes, ["mode"]);
      else if (name === "vcpu")
        this.#pins.takeCommon(wholeNumber(this.#xml, contentAt), () => this.#attribute(attributes, "cpuset"));
    } else if (depth === 3) this.#openThird(name, attributes, contentAt);
    else if (this.#open === undefined) return;
    else if (depth === 4) {
      this.#inLimits = name === "iotune";
      this.#take(this.#open.texts, name, attributes, DEVICE_ATTRIBUTES.get(name) ?? []);
      if (DEVICE_TEXTS.has(name)) this.#takeText(this.#open.texts, name, contentAt);
    } else if (depth === 5 && this.#inLimits && LIMITS.has(name)) this.#takeText(this.#open.texts, name, contentAt);
  }

  closed(depth: number): void {
    if (depth !== 3 || this.#open === undefined) return;
    const { isNic, texts } = this.#open;
    this.#open = undefined;
    const device = texts.get("target@dev");
    const known: ReadonlyMap<string, unknown> = isNic ? this.#nics : this.#disks;
    if (device === undefined || device === "" || known.has(device)) return;
    for (const text of texts.values()) this.#left -= text.length;
    this.#left -= DEVICE_CHARACTERS;
    if (this.#left < 0) return;
    if (isNic) this.#nics.set(device, nicFacts(device, texts));
    else this.#disks.set(device, diskFacts(device, texts));
  }

  #openThird(name: string, attributes: string, contentAt: number): void {
    if (this.#section === "devices" && (name === "disk" || name === "interface")) {
      const texts: Texts = new Map();
      this.#take(texts, "", attributes, ["device", "type"]);
      this.#open = { isNic: name === "interface", texts };
    } else if (this.#section === "os") {
      if (name === "type") this.#take(this.#domain, name, attributes, ["arch", "machine"]);
      else if (name === "loader") this.#take(this.#domain, name, attributes, ["type"]);
    } else if (this.#section === "cpu" && name === "model") this.#takeText(this.#domain, name, contentAt);
    else if (this.#section === "cputune" && name === "vcpupin")
      this.#pins.take(attributeOf(attributes, "vcpu"), () => this.#attribute(attributes, "cpuset"));
  }

  #take(texts: Texts, element: string, attributes: string, wanted: readonly string[]): void {
    for (const attribute of wanted) {
      const key = `${element}@${attribute}`;
      const value = texts.has(key) ? undefined : this.#attribute(attributes, attribute);
      if (value !== undefined) texts.set(key, value);
    }
  }

  #takeText(texts: Texts, element: string, contentAt: number): void {
    const value = texts.has(element) ? undefined : usable(textAt(this.#xml, contentAt, MAX_LENGTH));
    if (value !== undefined) texts.set(element, value);
  }

  #attribute(attributes: string, name: string): string | undefined {
    return usable(attributeOf(attributes, name));
  }
}

function usable(text: string | undefined): string | undefined {
  return text === undefined || text === "" || text.length > MAX_LENGTH ? undefined : copied(decoded(text));
}

function diskFacts(device: string, texts: Texts): DiskFacts {
  return {
    device,
    alias: aliasIn(texts),
    kind: texts.get("@device") ?? "disk",
    bus: texts.get("target@bus"),
    cache: texts.get("driver@cache"),
    discard: texts.get("driver@discard"),
    format: texts.get("driver@type"),
    serial: texts.get("serial"),
    iopsLimit: limitIn(texts, "iops"),
    bytesLimit: limitIn(texts, "bytes"),
  };
}

function nicFacts(device: string, texts: Texts): NicFacts {
  return {
    device,
    alias: aliasIn(texts),
    kind: texts.get("@type"),
    mac: texts.get("mac@address"),
    model: texts.get("model@type"),
    source: texts.get("source@bridge") ?? texts.get("source@network") ?? texts.get("source@dev"),
    link: texts.get("link@state") ?? "up",
    mtu: positive(texts.get("mtu@size")),
  };
}

function aliasIn(texts: Texts): string | undefined {
  const alias = texts.get("alias@name");
  return alias?.startsWith("ua-") === true ? alias.slice(3) : undefined;
}

/** Returns the limit of reads and writes together: their common one, or the sum if both have one. */
function limitIn(texts: Texts, unit: "iops" | "bytes"): number | undefined {
  const [total, read, write] = ["total", "read", "write"].map((what) => positive(texts.get(`${what}_${unit}_sec`)));
  return total ?? (read === undefined || write === undefined ? undefined : read + write);
}

/** Returns a whole number above 0; undefined for anything else, as 0 means that there is no limit. */
function positive(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) && Number(text) > 0 ? Number(text) : undefined;
}

/** QEMU starts a PC with a BIOS if the XML names no firmware. */
function firmwareOf(domain: Texts): string | undefined {
  const named = domain.get("os@firmware");
  if (named !== undefined) return named;
  if (domain.get("loader@type") === "pflash") return "efi";
  return ["x86_64", "i686"].includes(domain.get("type@arch") ?? "") ? "bios" : undefined;
}
