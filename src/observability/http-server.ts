import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isIPv6, type AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { messageOf, TelemetryError } from "../errors.ts";
import { systemClock } from "../lib/clock.ts";
import { openFileLimit } from "../lib/open-files.ts";
import { ownValue } from "../lib/own-value.ts";
import { isAllowedHost } from "./allowed-hosts.ts";
import { ConnectionSlots, maxWaiting } from "./connection-slots.ts";
import type { ListenAddress } from "./listen-address.ts";
import { RequestGate } from "./request-gate.ts";
import { Turns } from "./turns.ts";

export interface Answer {
  readonly status?: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The pages by path. Each function is called for every request, so what is costly must be shared between requests. */
export type Routes = Readonly<Record<string, (query: URLSearchParams) => Answer>>;

export interface HttpServerOptions {
  readonly address: ListenAddress;
  readonly routes: Routes;
  /** Names that clients may use for this server, in lower case, besides IP addresses and `localhost`. */
  readonly allowedHosts?: ReadonlySet<string>;
  /** Called when a route throws; the client gets a 500 without details. */
  readonly onError: (error: unknown) => void;
  readonly limits?: Limits;
}

export interface Limits {
  /** Enough for all readers of one node. Above it, `ConnectionSlots` decides. */
  readonly connections: number;
  /** A connection that others wait for is served for at least this time. */
  readonly minimumMs: number;
  /** Time to send the headers of a request. */
  readonly headersMs: number;
  /** Time between two requests, and time to receive an answer. */
  readonly idleMs: number;
}

const LIMITS: Limits = { connections: 64, minimumMs: 1_000, headersMs: 5_000, idleMs: 15_000 };
/**
 * Of answers, and of new connections: 30 a second. The kubelet, Prometheus and a few people need less than two. The largest page
 * takes 1 ms.
 */
const RATE = { burst: 60, periodMs: 1_000 / 30 };
const MAX_HEADER_BYTES = 8 * 1024;
/**
 * Connections that the system holds until they are accepted. Above it, it ignores new ones, and their clients try again after
 * one second and after three: too late for a health check. With 128, 400 clients that connect again and again delayed health
 * by two seconds; the server accepts 1,024 connections in less than one.
 */
const BACKLOG = 1_024;
const NO_NAMES: ReadonlySet<string> = new Set();

const MISDIRECTED =
  "this server answers only to IP addresses, localhost and the names of --allowed-host: use an IP address, or add the name";

const HEADERS = {
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/**
 * Serves a few read-only pages without authentication, so any client in the network may connect. Request bodies are never
 * read; a connection has one request at a time; the number of connections and the time per client are bounded.
 */
export class HttpServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #options: HttpServerOptions;
  readonly #limits: Limits;
  readonly #slots: ConnectionSlots;

  private constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#limits = options.limits ?? LIMITS;
    const { headersMs, idleMs } = this.#limits;
    this.#server = createServer(
      {
        headersTimeout: headersMs,
        // The server does not wait for bodies.
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
    // Node's own listener, which parses what it is given, gets the gate in place of the socket.
    const [parse] = this.#server.listeners("connection");
    this.#server.removeAllListeners("connection");
    const turns = new Turns(RATE, systemClock);
    const { connections: slots, minimumMs } = this.#limits;
    this.#slots = new ConnectionSlots(
      { slots, minimumMs, waiting: maxWaiting(openFileLimit()), rate: RATE },
      systemClock,
      (socket, client) => {
        parse?.call(this.#server, new RequestGate(socket, (act) => turns.take(client, act)));
      },
    );
    this.#server.on("connection", (socket) => {
      // Node's own timeout begins with the first request.
      socket.setTimeout(idleMs, () => socket.destroy());
      this.#slots.accept(socket);
    });
  }

  /** @throws {TelemetryError} E_LISTEN */
  static async listen(options: HttpServerOptions): Promise<HttpServer> {
    const { host, port } = options.address;
    const server = new HttpServer(options);
    try {
      await new Promise<void>((resolve, reject) => {
        server.#server.once("error", reject);
        server.#server.listen({ port, backlog: BACKLOG, ...(host !== undefined && { host }) }, () => {
          server.#server.off("error", reject);
          resolve();
        });
      });
      // Such as too many open files. Without a listener the error would end the process.
      server.#server.on("error", options.onError);
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

  /** The address that it listens on, as HOST:PORT. */
  get address(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `${isIPv6(address) ? `[${address}]` : address}:${port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#slots.closeAll();
    await closed;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const connection: Duplex = request.socket;
    response.once("finish", () => {
      if (connection instanceof RequestGate) connection.next();
    });
    const { status = 200, type, body, headers } = this.#route(request);
    response.writeHead(status, {
      ...HEADERS,
      "content-type": type,
      "content-length": Buffer.byteLength(body),
      // A body is discarded with its connection.
      ...(hasBody(request) && { connection: "close" }),
      ...headers,
    });
    response.end(request.method === "HEAD" ? undefined : body);
  }

  #route(request: IncomingMessage): Answer {
    if (request.method !== "GET" && request.method !== "HEAD")
      return { ...plain(405, "only GET and HEAD"), headers: { allow: "GET, HEAD" } };
    if (!isAllowedHost(request.headers.host, this.#options.allowedHosts ?? NO_NAMES)) return plain(421, MISDIRECTED);
    const [path = "", query = ""] = (request.url ?? "").split("?", 2);
    const { routes, onError } = this.#options;
    const route = ownValue(routes, path);
    if (route === undefined) return plain(404, `not found; available: ${Object.keys(routes).join(" ")}`);
    try {
      return route(new URLSearchParams(query));
    } catch (error) {
      onError(error);
      return plain(500, "internal error; see the log");
    }
  }
}

/** Returns an answer in plain text; a line break is added. */
export function plain(status: number, text: string): Answer {
  return { status, type: "text/plain; charset=utf-8", body: `${text}\n` };
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;
}
