import { isIPv6, type Socket } from "node:net";

/** Returns the oldest connection of the client that has most. `connections` are in the order in which they were opened. */
export function crowdedOf<Connection extends Pick<Socket, "remoteAddress">>(
  connections: Iterable<Connection>,
): Connection | undefined {
  const byClient = new Map<string, { readonly oldest: Connection; count: number }>();
  for (const connection of connections) {
    const client = clientOf(connection.remoteAddress);
    const known = byClient.get(client);
    if (known === undefined) byClient.set(client, { oldest: connection, count: 1 });
    else known.count++;
  }
  let most: { readonly oldest: Connection; count: number } | undefined;
  for (const client of byClient.values()) if (most === undefined || client.count > most.count) most = client;
  return most?.oldest;
}

/** Returns the address of a client; for IPv6 its first 64 bits, because one host can have all addresses behind them. */
export function clientOf(address = ""): string {
  const mapped = /^::ffff:([0-9.]+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !isIPv6(address)) return mapped ?? address;
  const [head = "", tail] = (address.split("%")[0] ?? "").split("::");
  const groups = head === "" ? [] : head.split(":");
  const behind = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : 8 - groups.length - behind.length;
  return [...groups, ...Array<string>(Math.max(0, zeros)).fill("0"), ...behind].slice(0, 4).join(":");
}
