import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isIPv6, type AddressInfo, type Socket } from "node:net";
import { messageOf, TelemetryError } from "../errors.ts";
import type { ListenAddress } from "./listen-address.ts";
import { ownValue } from "../lib/own-value.ts";

export interface Answer {
  readonly status?: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What is served, by path. It is made when it is asked for. */
export type Routes = Readonly<Record<string, (query: URLSearchParams) => Answer>>;

export interface HttpServerOptions {
  readonly address: ListenAddress;
  readonly routes: Routes;
  /** An answer could not be made. */
  readonly faulted: (error: unknown) => void;
  readonly limits?: Limits;
}

export interface Limits {
  /** More than everybody together needs who looks at one node; one connection more ends the oldest. */
  readonly connections: number;
  /** For the headers of a request. */
  readonly headersMs: number;
  /** Between two requests, and for a client to take its answer. */
  readonly idleMs: number;
}

const LIMITS: Limits = { connections: 64, headersMs: 5_000, idleMs: 15_000 };
const MAX_HEADER_BYTES = 8 * 1024;

const HEADERS = {
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/**
 * Serves a few pages to whoever asks, which may be anybody in the network: it only tells, reads no body, and what a client
 * can hold of it has a bound in number and time.
 */
export class HttpServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #options: HttpServerOptions;
  readonly #limits: Limits;
  /** The oldest first. */
  readonly #connections = new Set<Socket>();

  private constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#limits = options.limits ?? LIMITS;
    const { headersMs, idleMs } = this.#limits;
    this.#server = createServer(
      {
        headersTimeout: headersMs,
        // No request has a body that is waited for.
        requestTimeout: headersMs,
        connectionsCheckingInterval: headersMs,
        keepAliveTimeout: idleMs,
        maxHeaderSize: MAX_HEADER_BYTES,
      },
      (request, response) => {
        this.#answer(request, response);
      },
    );
    this.#server.setTimeout(idleMs);
    this.#server.on("connection", (socket) => {
      this.#admit(socket);
    });
  }

  /** @throws {TelemetryError} E_LISTEN */
  static async listen(options: HttpServerOptions): Promise<HttpServer> {
    const { host, port } = options.address;
    const server = new HttpServer(options);
    try {
      await new Promise<void>((resolve, reject) => {
        server.#server.once("error", reject);
        server.#server.listen({ port, ...(host !== undefined && { host }) }, () => {
          server.#server.off("error", reject);
          resolve();
        });
      });
      // Such as too many open files: without a listener it would end the process.
      server.#server.on("error", options.faulted);
    } catch (error) {
      const where = `${host ?? ""}:${port}`;
      throw new TelemetryError(
        "E_LISTEN",
        `cannot listen on ${where}: ${messageOf(error)}. Choose another address with --listen, or --listen off`,
        { cause: error },
      );
    }
    return server;
  }

  /** Where it listens, as HOST:PORT. */
  get address(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `${isIPv6(address) ? `[${address}]` : address}:${port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#connections) socket.destroy();
    await closed;
  }

  /** A newcomer always gets in, so that nobody keeps the probes of the kubelet out by holding connections. */
  #admit(socket: Socket): void {
    this.#connections.add(socket);
    socket.once("close", () => this.#connections.delete(socket));
    const [oldest] = this.#connections;
    if (this.#connections.size > this.#limits.connections) oldest?.destroy();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { status = 200, type, body, headers } = this.#find(request);
    response.writeHead(status, {
      ...HEADERS,
      "content-type": type,
      "content-length": Buffer.byteLength(body),
      // Whoever sends a body has it thrown away with the connection.
      ...(!isPlain(request) && { connection: "close" }),
      ...headers,
    });
    response.end(request.method === "HEAD" ? undefined : body);
  }

  #find(request: IncomingMessage): Answer {
    if (request.method !== "GET" && request.method !== "HEAD")
      return { ...plain(405, "only GET and HEAD"), headers: { allow: "GET, HEAD" } };
    const [path = "", query = ""] = (request.url ?? "").split("?", 2);
    const { routes, faulted } = this.#options;
    const route = ownValue(routes, path);
    if (route === undefined) return plain(404, `not found; there are ${Object.keys(routes).join(" ")}`);
    try {
      return route(new URLSearchParams(query));
    } catch (error) {
      faulted(error);
      return plain(500, "the answer could not be made; the log has more");
    }
  }
}

export function plain(status: number, text: string): Answer {
  return { status, type: "text/plain; charset=utf-8", body: `${text}\n` };
}

function isPlain({ headers }: IncomingMessage): boolean {
  return headers["content-length"] === undefined && headers["transfer-encoding"] === undefined;
}
