import { BlockList, isIP } from "node:net";
import { domainToASCII } from "node:url";

/** Host and port of a request. The host is in lower case, without brackets and without a dot at its end. */
interface Address {
  readonly host: string;
  readonly port: string;
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = { "http:": "80", "https:": "443" };
const LOOPBACK = [addresses("127.0.0.0", 8), addresses("::1")];

/**
 * Returns whether requests to a URL do not use the proxy. `list` is the value of NO_PROXY, and means the same as in programs in Go,
 * so that one value suits every program of a node: a name for itself and its subdomains, `.name` or `*.name` for the subdomains,
 * an address, a network such as `10.0.0.0/8`, or `*`. A name or an address may have a port. Any other entry matches nothing. Names
 * are not resolved. This machine is never reached through a proxy.
 */
export function bypassesProxy(url: string, list: string): boolean {
  const { protocol, hostname, port } = new URL(url);
  const host = hostname
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.$/, "")
    .toLowerCase();
  if (host === "localhost" || LOOPBACK.some((network) => contains(network, host))) return true;
  const address = { host, port: port || (DEFAULT_PORTS[protocol] ?? "") };
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => entry === "*" || matches(entry, address));
}

function matches(entry: string, { host, port }: Address): boolean {
  const [, network, bits] = /^([0-9a-f:.]+)\/([0-9]{1,3})$/.exec(entry) ?? [];
  if (network !== undefined) return contains(addresses(network, Number(bits)), host);
  if (familyOf(entry) !== undefined) return contains(addresses(entry), host);
  const [, wanted = "", wantedPort = port] = /^\[?(.*?)\]?(?::([0-9]+))?$/.exec(entry) ?? [];
  if (wantedPort !== port) return false;
  if (familyOf(host) !== undefined) return contains(addresses(wanted), host);
  const name = asciiName(wanted.replace(/^\*?\./, "").replace(/\.$/, ""));
  if (name === "") return false;
  return host.endsWith(`.${name}`) || (host === name && !/^\*?\./.test(wanted));
}

/** Returns the addresses of a network, or one address without `bits`. None if the text is not a network. */
function addresses(network: string, bits?: number): BlockList {
  const list = new BlockList();
  const family = familyOf(network);
  const most = family === "ipv6" ? 128 : 32;
  if (family !== undefined && (bits ?? most) <= most) list.addSubnet(network, bits ?? most, family);
  return list;
}

function contains(list: BlockList, host: string): boolean {
  const family = familyOf(host);
  return family !== undefined && list.check(host, family);
}

/** Returns the family of an address; undefined for a name, and for an address with a zone, which no URL can have. */
function familyOf(text: string): "ipv4" | "ipv6" | undefined {
  const version = text.includes("%") ? 0 : isIP(text);
  return version === 0 ? undefined : version === 4 ? "ipv4" : "ipv6";
}

/** Returns the form that a name has in a parsed URL. */
function asciiName(name: string): string {
  // Only if necessary: this function of Node takes the name `1` for the address 0.0.0.1.
  return /[^!-~]/.test(name) ? domainToASCII(name) : name;
}
