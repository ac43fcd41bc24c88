import { isIP } from "node:net";
import { TelemetryError } from "../errors.ts";
import { commaList } from "../lib/comma-list.ts";

const NAME = /^[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?$/i;
const HOST = /^(?:\[(?<host6>[^\[\]]+)\]|(?<host>[^:\[\]]+))(?::[0-9]{0,5})?$/;

/**
 * Returns the names in lower case. An entry may have several names with commas between, because an environment variable is one
 * text.
 * @throws {TelemetryError} E_USAGE
 */
export function parseAllowedHosts(entries: readonly string[]): ReadonlySet<string> {
  const names = commaList(entries).map(normal);
  const wrong = names.find((name) => !NAME.test(name));
  if (wrong !== undefined)
    throw new TelemetryError(
      "E_USAGE",
      `--allowed-host must be the name of a host without a port; it is ${JSON.stringify(wrong)}`,
    );
  return new Set(names);
}

/**
 * Returns whether a request with this Host header is answered: the host is an IP address, `localhost` or one of `names`. A web
 * page can make its own name resolve to this server's address and let a browser read the answers (DNS rebinding), but then
 * the header has that name. A request without the header does not come from a browser.
 */
export function isAllowedHost(header: string | undefined, names: ReadonlySet<string>): boolean {
  if (header === undefined) return true;
  const { host = "", host6 = "" } = HOST.exec(header)?.groups ?? {};
  const name = normal(host);
  return isIP(host6) === 6 || isIP(host) === 4 || name === "localhost" || names.has(name);
}

function normal(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}
