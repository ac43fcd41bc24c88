import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as listener, isIPv6, type AddressInfo, type Server as Listener } from "node:net";
import type { Duplex } from "node:stream";
import { messageOf, TelemetryError } from "../errors.ts";
import type { BurstOptions } from "../lib/burst-limit.ts";
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

/** An answer with a large body, which is not copied for each client. */
export interface AnswerInPieces extends Omit<Answer, "body"> {
  readonly body: readonly Buffer[];
  /** Aborts when the body takes memory for too long: a client that has not received it is cut off. */
  readonly outdated: AbortSignal;
}

/** The pages by path. Each function is called for every request, so what is costly must be shared between requests. */
export type Routes = Readonly<Record<string, (query: URLSearchParams) => Answer | Promise<Answer | AnswerInPieces>>>;

export interface HttpServerOptions {
  readonly address: ListenAddress;
  readonly routes: Routes;
  /** Names that clients may use for this server, in lower case, besides IP addresses and `localhost`. */
  readonly allowedHosts?: ReadonlySet<string>;
  /** Called when a route throws; the client gets a 500 without details. */
  readonly onError: (error: unknown) => void;
  readonly limits?: Partial<Limits>;
}

export interface Limits {
  /** Enough for all readers of one node. Above it, `ConnectionSlots` decides. */
  readonly connections: number;
  /** A connection that others wait for is served for at least this time. */
  readonly minimumMs: number;
  /** Time to send the head of a request, from its first byte; of the first request, from the connection. */
  readonly headMs: number;
  /** Time between two requests, and time to receive an answer. */
  readonly idleMs: number;
  /** Of answers, and of new connections. */
  readonly rate: BurstOptions;
}

const LIMITS: Limits = {
  connections: 64,
  minimumMs: 1_000,
  headMs: 5_000,
  idleMs: 15_000,
  // 8 a second. The kubelet, Prometheus and a few people need less than two. An answer takes 1.5 ms, half of it in the system.
  rate: { burst: 24, periodMs: 125 },
};
const MAX_HEADER_BYTES = 8 * 1024;
/**
 * Connections that the system holds until they are accepted; it may have a lower bound of its own. Above it, it ignores new ones, and
 * their clients try again after one second and after three: too late for a health check. The server accepts as many in a quarter of
 * a second.
 */
const BACKLOG = 4_096;
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
  readonly #listener: Listener;
  readonly #http: Server;
  readonly #options: HttpServerOptions;
  readonly #slots: ConnectionSlots;

  private constructor(options: HttpServerOptions) {
    this.#options = options;
    const { connections, minimumMs, headMs, idleMs, rate } = { ...LIMITS, ...options.limits };
    // It does not listen: it gets the gate of each connection that is served.
    this.#http = createServer({ keepAliveTimeout: idleMs, maxHeaderSize: MAX_HEADER_BYTES }, (request, response) => {
      void this.#answer(request, response);
    });
    this.#http.setTimeout(idleMs);
    const turns = new Turns<() => void>(
      {
        rate,
        start: (show) => {
          show();
        },
      },
      systemClock,
    );
    this.#slots = new ConnectionSlots(
      { slots: connections, minimumMs, waiting: maxWaiting(openFileLimit()), rate },
      systemClock,
      (socket, client) => this.#http.emit("connection", new RequestGate(socket, { client, turns, headMs })),
    );
    // A connection that waits is not read: it could send 64 KiB otherwise, and others as much.
    this.#listener = listener({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
      // Node's own timeout begins with the first request.
      socket.setTimeout(idleMs, () => socket.destroy());
      this.#slots.accept(socket);
    });
  }

  /** @throws {TelemetryError} E_LISTEN */
  static async listen(options: HttpServerOptions): Promise<HttpServer> {
    const { host, port } = options.address;
    const server = new HttpServer(options);
    const listener = server.#listener;
    try {
      await new Promise<void>((resolve, reject) => {
        listener.once("error", reject);
        listener.listen({ port, backlog: BACKLOG, ...(host !== undefined && { host }) }, () => {
          listener.off("error", reject);
          resolve();
        });
      });
      // Such as too many open files. Without a listener the error would end the process.
      listener.on("error", options.onError);
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
    const { address, port } = this.#listener.address() as AddressInfo;
    return `${isIPv6(address) ? `[${address}]` : address}:${port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#listener.close(resolve));
    this.#slots.closeAll();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const connection: Duplex = request.socket;
    response.once("finish", () => {
      if (connection instanceof RequestGate) connection.next();
    });
    const routed = this.#route(request);
    const answer = routed instanceof Promise ? await routed : routed;
    // The client may have gone meanwhile.
    if (response.destroyed) return;
    const { status = 200, type, body, headers } = answer;
    response.writeHead(status, {
      ...HEADERS,
      "content-type": type,
      "content-length":
        typeof body === "string" ? Buffer.byteLength(body) : body.reduce((sum, { length }) => sum + length, 0),
      // A body is discarded with its connection.
      ...(hasBody(request) && { connection: "close" }),
      ...headers,
    });
    if (request.method === "HEAD") response.end();
    else if ("outdated" in answer) sendPieces(response, answer);
    else response.end(body);
  }

  #route(request: IncomingMessage): Answer | Promise<Answer | AnswerInPieces> {
    if (request.method !== "GET" && request.method !== "HEAD")
      return { ...plain(405, "only GET and HEAD"), headers: { allow: "GET, HEAD" } };
    if (!isAllowedHost(request.headers.host, this.#options.allowedHosts ?? NO_NAMES)) return plain(421, MISDIRECTED);
    const [path = "", query = ""] = (request.url ?? "").split("?", 2);
    const { routes } = this.#options;
    const route = ownValue(routes, path);
    if (route === undefined) return plain(404, `not found; available: ${Object.keys(routes).join(" ")}`);
    try {
      const answer = route(new URLSearchParams(query));
      return answer instanceof Promise ? answer.catch((error: unknown) => this.#failed(error)) : answer;
    } catch (error) {
      return this.#failed(error);
    }
  }

  #failed(error: unknown): Answer {
    this.#options.onError(error);
    return plain(500, "internal error; see the log");
  }
}

/** Sends a body. A client that has not received it when it is outdated is cut off. */
function sendPieces(response: ServerResponse, { body, outdated }: AnswerInPieces): void {
  const cutOff = (): void => {
    response.destroy();
  };
  outdated.addEventListener("abort", cutOff, { once: true });
  response.once("close", () => {
    outdated.removeEventListener("abort", cutOff);
  });
  for (const piece of body) response.write(piece);
  response.end();
}

/** Returns an answer in plain text; a line break is added. */
export function plain(status: number, text: string): Answer {
  return { status, type: "text/plain; charset=utf-8", body: `${text}\n` };
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;
}
