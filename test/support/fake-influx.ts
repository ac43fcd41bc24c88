// A strict write endpoint of InfluxDB 1, 2 and 3 that can fail on demand. It behaves as the real servers: it stores
// the same lines of a batch with a bad line, answers with the same statuses and bodies, and requires the same parameters.
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, Server as TlsServer, type ServerOptions } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { gunzipSync } from "node:zlib";
import type { KeyPair } from "./certificates.ts";
import { FakeInflux3, type Influx3Options, type Reply } from "./fake-influx3.ts";
import { readFirstMember, type GzipMember } from "./gzip-member.ts";

export type Fault =
  | {
      readonly kind: "status";
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** Reads the request and never answers. */
  | { readonly kind: "hang" }
  | { readonly kind: "reset" }
  /** Answers one byte at a time, without end. */
  | { readonly kind: "trickle" }
  /** Closes the connection in the middle of the answer. */
  | { readonly kind: "cut" }
  /** Stores the lines and closes the connection without an answer. */
  | { readonly kind: "lostAck" };

export interface FakeInfluxOptions extends Influx3Options {
  /** v3: an InfluxDB 3 Core with all its APIs, of `release`. */
  readonly version: "v1" | "v2" | "v3";
  /** The required Authorization header; undefined if no header is required. */
  readonly authorization?: string;
  /** The only database or bucket of v1 and v2; a request for another is answered with 404. */
  readonly database?: string;
  /** False: a compressed body is answered with 415, and a plain one is taken. */
  readonly gzip?: false;
  /** Limit of a body on the wire; a larger one is answered with 413. */
  readonly maxBodyBytes?: number;
  /**
   * What happens to gzip members behind the first of a body. "lost": they are dropped and the answer is a success, as by
   * InfluxDB 3.0 to 3.7. "fail": the test fails when the server ends. "lost" by default; v3 of a later release reads all.
   */
  readonly furtherMembers?: "lost" | "fail";
  readonly tls?: ServerOptions;
  readonly basePath?: string;
}

export interface ReceivedRequest {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingMessage["headers"];
  /** The lines of the first gzip member. */
  readonly lines: readonly string[];
  /** Number of bytes behind the first gzip member. */
  readonly behind: number;
  readonly status: number;
}

const NAME = String.raw`(?:[^,= \\"]|\\.|(?<!^)")+`;
const VALUE = String.raw`(?:-?\d{1,19}i|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|true|false|"(?:[^"\\]|\\.)*")`;
const LINE = new RegExp(
  String.raw`^(?:[^, \\]|\\.)+(?:,${NAME}=${NAME})* ${NAME}=${VALUE}(?:,${NAME}=${VALUE})* -?\d{19}$`,
  "u",
);

export class FakeInflux implements AsyncDisposable {
  /** Faults of the next requests, in order. */
  readonly faults: Fault[] = [];
  /** The fault of each request that has none of `faults`. */
  fault: Fault | undefined;
  readonly requests: ReceivedRequest[] = [];
  /** The stored lines in the order of arrival, with repetitions. */
  readonly stored: string[];
  /** The databases of v3. */
  readonly v3: FakeInflux3;
  options: FakeInfluxOptions;
  openConnections = 0;
  totalConnections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();

  private constructor(options: FakeInfluxOptions) {
    this.options = options;
    this.v3 = new FakeInflux3(options);
    this.stored = this.v3.stored;
    const listener = (request: IncomingMessage, response: ServerResponse): void => {
      void this.#receive(request, response);
    };
    this.#server = options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener);
    this.#server.on("connection", (socket: Socket) => {
      this.openConnections++;
      this.totalConnections++;
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.openConnections--;
        this.#sockets.delete(socket);
      });
    });
  }

  static async start(options: FakeInfluxOptions): Promise<FakeInflux> {
    const fake = new FakeInflux(options);
    await new Promise<void>((resolve) => fake.#server.listen(0, "127.0.0.1", resolve));
    return fake;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    const scheme = this.options.tls === undefined ? "http" : "https";
    return `${scheme}://127.0.0.1:${this.port}${this.options.basePath ?? ""}`;
  }

  /** The certificate for new connections. */
  set certificate(pair: KeyPair) {
    if (this.#server instanceof TlsServer) this.#server.setSecureContext(pair);
  }

  /** Closes all connections, as a server does with idle ones. */
  closeConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.closeConnections();
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
    if (this.options.furtherMembers !== "fail") return;
    const faulty = this.requests.filter(({ behind }) => behind > 0).length;
    assert.equal(faulty, 0, `requests with more than one gzip member, of ${this.requests.length}`);
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return;
    }
    const fault = this.faults.shift() ?? this.fault;
    const body = Buffer.concat(chunks);
    const url = new URL(request.url ?? "/", "http://fake");
    const query = Object.fromEntries(url.searchParams);
    const { headers } = request;
    const member = headers["content-encoding"] === "gzip" ? this.#unzip(body) : { contents: body, behind: 0 };
    const { contents = "", behind = 0 } = member ?? {};
    const lines = contents.toString().split("\n").filter(Boolean);
    const reply: Reply =
      fault?.kind === "status" ? fault : (this.#reject(request, url, body) ?? this.#write(url, body, member, fault));
    this.requests.push({ path: url.pathname, query, headers, lines, behind, status: reply.status });
    if (reply.closes === true) request.socket.destroy();
    else if (fault === undefined || fault.kind === "status") {
      response.writeHead(reply.status, { ...reply.headers });
      response.end(reply.body);
    } else this.#fail(fault, request.socket, response);
  }

  /** Returns what the server reads of a compressed body, or undefined if it cannot. */
  #unzip(body: Buffer): GzipMember | undefined {
    const { version, release = "3.6" } = this.options;
    try {
      return version === "v3" && release !== "3.6" ? { contents: gunzipSync(body), behind: 0 } : readFirstMember(body);
    } catch {
      return undefined;
    }
  }

  /** Returns the answer to a request that is rejected before its lines are read. */
  #reject({ method, headers }: IncomingMessage, url: URL, body: Buffer): Reply | undefined {
    const api = this.#apiOf(url);
    if (api === undefined) return { status: 404, body: "404 page not found" };
    if (method !== "POST") return { status: 405 };
    const { version, authorization } = this.options;
    if (authorization !== undefined && headers.authorization !== authorization)
      return version === "v3"
        ? this.v3.unauthorized(headers.authorization)
        : { status: 401, body: '{"code":"unauthorized","message":"unauthorized access"}' };
    const badEncoding = this.#rejectEncoding(headers["content-encoding"]);
    if (badEncoding !== undefined) return badEncoding;
    if (url.searchParams.get("precision") !== api.precision)
      return { status: 400, body: '{"error":"invalid precision"}' };
    return version === "v3" ? undefined : this.#rejectBody(url.searchParams.get(api.database), body);
  }

  #rejectEncoding(encoding: string | undefined): Reply | undefined {
    if (this.options.gzip === false)
      return encoding === undefined ? undefined : { status: 415, body: "unsupported content encoding" };
    return encoding === "gzip" ? undefined : { status: 400, body: '{"error":"not gzip"}' };
  }

  #rejectBody(asked: string | null, body: Buffer): Reply | undefined {
    const { database, maxBodyBytes } = this.options;
    if (maxBodyBytes !== undefined && body.length > maxBodyBytes) return { status: 413, body: "too large" };
    if (database !== undefined && asked !== database)
      return { status: 404, body: `{"error":"database not found: \\"${String(asked)}\\""}` };
    return undefined;
  }

  #write(url: URL, body: Buffer, member: GzipMember | undefined, fault: Fault | undefined): Reply {
    if (fault !== undefined && fault.kind !== "lostAck") return { status: 0 };
    const { version } = this.options;
    if (version === "v3") return this.#write3(url, body, member);
    if (member === undefined) return BROKEN_BODY[version];
    const lines = member.contents.toString().split("\n").filter(Boolean);
    const bad = lines.filter((line) => !LINE.test(line));
    if (bad.length === 0 || version === "v1") this.stored.push(...lines.filter((line) => LINE.test(line)));
    if (bad.length === 0) return { status: 204 };
    const messages = bad.map((line) => `unable to parse '${line}': invalid field format`).join("\n");
    if (version === "v1")
      return { status: 400, body: JSON.stringify({ error: `partial write: ${messages} dropped=0` }) };
    return {
      status: 400,
      body: JSON.stringify({ code: "invalid", message: messages }),
      headers: { "content-type": "application/json; charset=utf-8" },
    };
  }

  #write3(url: URL, body: Buffer, member: GzipMember | undefined): Reply {
    const api = this.#apiOf(url)?.name ?? "native";
    const { db, bucket, rp, accept_partial: partial } = Object.fromEntries(url.searchParams);
    return this.v3.write({
      api,
      database: [db ?? bucket ?? "", ...(rp === undefined ? [] : [rp])].join("/"),
      text: member?.contents.toString(),
      bodyBytes: member?.contents.length ?? body.length,
      acceptPartial: api === "native" && partial !== "false",
    });
  }

  #apiOf({ pathname }: URL): (typeof API)[keyof typeof API][number] | undefined {
    const { version, basePath = "" } = this.options;
    const path = pathname.startsWith(basePath) ? pathname.slice(basePath.length) : "";
    return API[version].find((known) => known.path === path);
  }

  #fail(fault: Fault, socket: Socket, response: ServerResponse): void {
    switch (fault.kind) {
      case "reset":
        socket.resetAndDestroy();
        break;
      case "lostAck":
        socket.destroy();
        break;
      case "cut":
        response.writeHead(400, { "content-length": "1000", "content-type": "application/json" });
        response.write('{"error":"part');
        setImmediate(() => socket.destroy());
        break;
      case "trickle": {
        response.writeHead(400, { "content-type": "application/json" });
        const timer = setInterval(() => response.write(" "), 5);
        this.#timers.add(timer);
        socket.on("close", () => {
          clearInterval(timer);
        });
        break;
      }
      default:
    }
  }
}

const V1_API = { name: "v1", path: "/write", database: "db", precision: "ns" } as const;
const V2_API = { name: "v2", path: "/api/v2/write", database: "bucket", precision: "ns" } as const;
const V3_API = { name: "native", path: "/api/v3/write_lp", database: "db", precision: "nanosecond" } as const;
const API = { v1: [V1_API], v2: [V2_API], v3: [V3_API, V2_API, V1_API] };

const BROKEN_BODY = {
  v1: { status: 400, body: '{"error":"unexpected EOF"}' },
  v2: { status: 500, body: '{"code":"internal error","message":"An internal error has occurred"}' },
};
