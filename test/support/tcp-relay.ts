import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** Relays bytes between a client and a server of this machine, and can drop them. */
export class TcpRelay implements AsyncDisposable {
  readonly #server: Server;
  readonly #pairs: (readonly [Socket, Socket])[] = [];

  private constructor(port: number) {
    this.#server = createServer((client) => {
      const server = connect(port, "127.0.0.1");
      this.#pairs.push([client, server]);
      client.pipe(server).pipe(client);
      for (const [one, other] of [
        [client, server],
        [server, client],
      ] as const) {
        one.on("error", () => undefined);
        one.on("close", () => other.destroy());
      }
    });
  }

  static async start(toPort: number): Promise<TcpRelay> {
    const relay = new TcpRelay(toPort);
    await new Promise<void>((resolve) => relay.#server.listen(0, "127.0.0.1", resolve));
    return relay;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Drops all bytes; both ends still see open connections. */
  freeze(): void {
    for (const [client, server] of this.#pairs) {
      client.unpipe(server);
      server.unpipe(client);
    }
  }

  /** Whether a frozen connection has filled its buffer, so that the relay stops reading from the client. */
  get isFull(): boolean {
    return this.#pairs.some(
      ([client]) => client.readableLength >= client.readableHighWaterMark && client.listenerCount("data") === 0,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
  }
}
