import { createServer, request as forward, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";

export interface ProxiedRequest {
  readonly method: string;
  /** `host:port` of a tunnel, or the URL of another request. */
  readonly target: string;
  readonly headers: IncomingMessage["headers"];
}

/** A name that only the proxy knows. The agent reaches this machine without a proxy under its own names. */
export const BEHIND_PROXY = "influx.example";

/** Returns the URL of a server on this machine under the name that only the proxy knows. */
export function behindProxy(url: string): string {
  return url.replace("127.0.0.1", BEHIND_PROXY);
}

/** A proxy for HTTP on this machine: tunnels for https, requests in absolute form for http. For it, each name is this machine. */
export class HttpProxy implements AsyncDisposable {
  readonly requests: ProxiedRequest[] = [];
  /** Everything that clients sent, as text. */
  seen = "";
  /** What the proxy does instead of opening a tunnel. */
  fault: "reject" | "hang" | "hang after the answer" | undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#forward(request, response);
    });
    this.#server.on("connection", (socket) => {
      this.#keep(socket);
      socket.on("data", (chunk) => (this.seen += chunk.toString("latin1")));
    });
    this.#server.on("connect", (request: IncomingMessage, socket: Socket) => {
      this.#tunnel(request, socket);
    });
  }

  static async start(): Promise<HttpProxy> {
    const proxy = new HttpProxy();
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  /** `host:port`. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => this.#sockets.delete(socket));
  }

  #record({ method = "", url = "", headers }: IncomingMessage): void {
    this.requests.push({ method, target: url, headers });
  }

  #tunnel(request: IncomingMessage, client: Socket): void {
    this.#record(request);
    if (this.fault === "reject") {
      client.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
      return;
    }
    // The stream must flow for its end to be noticed.
    client.resume().on("end", () => client.destroy());
    if (this.fault === "hang") return;
    client.write("HTTP/1.1 200 Connection established\r\n\r\n");
    if (this.fault === "hang after the answer") return;
    const server = connect(Number(request.url?.split(":")[1]), "127.0.0.1");
    this.#keep(server);
    client.pipe(server).pipe(client);
    client.on("close", () => server.destroy());
    server.on("close", () => client.destroy());
  }

  #forward(request: IncomingMessage, response: ServerResponse): void {
    this.#record(request);
    if (this.fault === "reject") {
      response.writeHead(407).end();
      return;
    }
    const { method, headers } = request;
    const { port, pathname, search } = new URL(request.url ?? "");
    const options = { host: "127.0.0.1", port, path: `${pathname}${search}`, method, headers };
    const onward = forward(options, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  }
}
