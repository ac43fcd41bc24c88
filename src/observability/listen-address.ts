import { TelemetryError } from "../errors.ts";

/** The address that serves metrics, health and the status page. */
export interface ListenAddress {
  /** Undefined: all addresses of the host. */
  readonly host: string | undefined;
  /** 0: any free port. */
  readonly port: number;
}

export const DEFAULT_ADDRESS = ":9090";

const ADDRESS = /^(?:(?<host>[^:\[\]\s]+)|\[(?<host6>[^\[\]\s]+)\])?:(?<port>[0-9]{1,5})$/;

/**
 * Parses `HOST:PORT`, `[IPv6]:PORT` or `:PORT`. Returns undefined for `off`.
 * @throws {TelemetryError} E_USAGE
 */
export function parseListenAddress(text: string): ListenAddress | undefined {
  if (text === "off") return undefined;
  const { host, host6, port } = ADDRESS.exec(text)?.groups ?? {};
  if (port === undefined || Number(port) > 65_535)
    throw new TelemetryError(
      "E_USAGE",
      `--listen must be HOST:PORT, [IPv6]:PORT, :PORT or off; it is ${JSON.stringify(text)}`,
    );
  return { host: host ?? host6, port: Number(port) };
}
