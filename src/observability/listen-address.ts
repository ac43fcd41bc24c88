import { TelemetryError } from "../errors.ts";

/** Where to serve metrics, health and the status page. */
export interface ListenAddress {
  /** Undefined: every address of the host. */
  readonly host: string | undefined;
  /** 0: one that is free. */
  readonly port: number;
}

export const DEFAULT_ADDRESS = ":9090";

const ADDRESS = /^(?:(?<host>[^:\[\]\s]+)|\[(?<host6>[^\[\]\s]+)\])?:(?<port>[0-9]{1,5})$/;

/**
 * Reads `HOST:PORT`, `[IPv6]:PORT` or `:PORT`; undefined for `off`.
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
