// A fake Kubernetes API server over TLS and HTTP/2 that can fail on demand. It has the lists, watches, conditional writes and
// server-side apply that the agent uses.
import {
  constants,
  createSecureServer,
  type Http2SecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import type { KeyPair } from "./certificates.ts";
import { failure, FakeObjects, type FakeAnswer, type FakeObject } from "./fake-objects.ts";

export type Fault =
  | {
      readonly kind: "status";
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: unknown;
    }
  /** Accepts the request and never answers. */
  | { readonly kind: "hang" }
  /** Ends the connection with a reset instead of an answer. */
  | { readonly kind: "reset" }
  /** Resets only the stream. */
  | { readonly kind: "resetStream" }
  /** Answers 200 with a text that is made while the client reads it. */
  | { readonly kind: "stream"; readonly parts: Iterable<string> }
  /** Answers 200 with these bytes. `then` tells how the answer continues. */
  | { readonly kind: "bytes"; readonly bytes: string; readonly then: "end" | "hang" | "reset" | "resetStream" };

export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingHttpHeaders;
}

export interface OpenWatch {
  readonly path: string;
  readonly stream: ServerHttp2Stream;
}

/** A window that accepts large bodies without a pause. */
const WINDOW_BYTES = 64 * 1024 * 1024;

export class FakeApiserver implements AsyncDisposable {
  readonly objects = new FakeObjects();
  /** Accepted tokens; if empty, all. */
  readonly tokens = new Set<string>();
  /** Faults of the next requests, in order. */
  readonly faults: Fault[] = [];
  /** The fault of each request that has none of `faults`. */
  fault: Fault | undefined;
  readonly requests: ReceivedRequest[] = [];
  readonly watches = new Set<OpenWatch>();
  readonly streams = new Set<ServerHttp2Stream>();
  totalConnections = 0;
  readonly #tls: KeyPair;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #sockets = new Set<Socket>();
  #server: Http2SecureServer | undefined;
  #port = 0;

  private constructor(tls: KeyPair) {
    this.#tls = tls;
  }

  static async start(tls: KeyPair): Promise<FakeApiserver> {
    const fake = new FakeApiserver(tls);
    await fake.listen();
    return fake;
  }

  get url(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  /** Returns the requests of one path, oldest first. */
  requestsOf(path: string): readonly ReceivedRequest[] {
    return this.requests.filter((request) => request.path === path);
  }

  /** Starts, or restarts on the same port. */
  async listen(): Promise<void> {
    const settings = { initialWindowSize: WINDOW_BYTES };
    const server = createSecureServer({ ...this.#tls, settings });
    this.#server = server;
    server.on("session", (session) => {
      session.setLocalWindowSize(WINDOW_BYTES);
      this.#sessions.add(session);
      session.on("error", () => undefined);
      session.on("close", () => this.#sessions.delete(session));
    });
    server.on("connection", (socket: Socket) => {
      this.totalConnections++;
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    server.on("stream", (stream, headers) => {
      this.streams.add(stream);
      stream.on("error", () => undefined);
      stream.on("close", () => this.streams.delete(stream));
      void this.#receive(stream, headers);
    });
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Acts like a killed process: resets every connection and stops listening. */
  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => {
      if (server === undefined) resolve();
      else
        server.close(() => {
          resolve();
        });
    });
    this.resetConnections();
    await closed;
  }

  resetConnections(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Closes the connections without a reset and without HTTP/2 frames. */
  endConnections(): void {
    for (const socket of this.#sockets) socket.end();
  }

  /** Ends the HTTP/2 sessions without ending their streams. */
  destroySessions(): void {
    for (const session of this.#sessions) session.destroy();
  }

  /** Sends GOAWAY, as a server that shuts down. */
  goAway(code: number = constants.NGHTTP2_NO_ERROR): void {
    for (const session of this.#sessions) session.goaway(code);
  }

  bookmark(): void {
    const object = { kind: "Bookmark", metadata: { resourceVersion: this.objects.version } };
    for (const { stream } of this.watches) send(stream, { type: "BOOKMARK", object });
  }

  /** Resets the streams of all watches; their connections stay open. */
  resetWatches(): void {
    // With an error: `close` alone would end the stream normally before it resets it.
    for (const { stream } of this.watches) stream.destroy(new Error("injected fault"));
  }

  /** Ends all watches normally, as after their timeout. */
  endWatches(): void {
    for (const { stream } of this.watches) stream.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  async #receive(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const url = new URL(headers[":path"] ?? "/", "https://fake");
    const query = Object.fromEntries(url.searchParams);
    const method = headers[":method"] ?? "";
    const request = { method, path: decodeURIComponent(url.pathname), query, headers };
    this.requests.push(request);
    const fault = this.faults.shift() ?? this.fault;
    const body = await text(stream).catch(() => "");
    if (stream.destroyed) return;
    if (fault !== undefined) this.#fail(fault, stream);
    else if (!this.#isAuthorized(headers)) reply(stream, failure(401, "Unauthorized"));
    else if (query["watch"] === "true") this.#watch(stream, request.path, query);
    else {
      const object = body === "" ? undefined : (JSON.parse(body) as FakeObject);
      reply(stream, this.objects.answer({ ...request, object, contentType: headers["content-type"] }));
    }
  }

  #isAuthorized({ authorization = "" }: IncomingHttpHeaders): boolean {
    return this.tokens.size === 0 || this.tokens.has(authorization.replace(/^Bearer /, ""));
  }

  #watch(stream: ServerHttp2Stream, path: string, query: Readonly<Record<string, string>>): void {
    stream.respond({ ":status": 200, "content-type": "application/json" });
    const stop = this.objects.watch(path, query, (event) => {
      send(stream, event);
    });
    if (typeof stop !== "function") {
      // As in the real server, the answer has already begun when the error is noticed.
      send(stream, { type: "ERROR", object: stop.body });
      stream.end();
      return;
    }
    const watch = { path, stream };
    this.watches.add(watch);
    stream.on("close", () => {
      stop();
      this.watches.delete(watch);
    });
  }

  #fail(fault: Fault, stream: ServerHttp2Stream): void {
    const reset = (): void => {
      const { socket } = stream.session ?? {};
      // The socket of a session is a proxy object that forbids a reset.
      for (const each of this.#sockets) if (each.remotePort === socket?.remotePort) each.resetAndDestroy();
    };
    if (fault.kind === "status") reply(stream, { body: failure(fault.status, "injected fault").body, ...fault });
    else if (fault.kind === "reset") reset();
    else if (fault.kind === "resetStream") stream.destroy(new Error("injected fault"));
    else if (fault.kind === "stream") {
      stream.respond({ ":status": 200, "content-type": "application/json" });
      Readable.from(fault.parts).pipe(stream);
    } else if (fault.kind === "bytes") {
      stream.respond({ ":status": 200, "content-type": "application/json" });
      stream.write(fault.bytes, () => {
        if (fault.then === "end") stream.end();
        else if (fault.then === "reset") reset();
        else if (fault.then === "resetStream") stream.destroy(new Error("injected fault"));
      });
    }
  }
}

function reply(stream: ServerHttp2Stream, { status, body, headers = {} }: FakeAnswer): void {
  const type = typeof body === "string" ? "text/plain; charset=utf-8" : "application/json";
  stream.respond({ ":status": status, "content-type": type, ...headers });
  stream.end(typeof body === "string" ? body : JSON.stringify(body));
}

function send(stream: ServerHttp2Stream, event: object): void {
  if (!stream.closed) stream.write(`${JSON.stringify(event)}\n`);
}
