import { connect, constants, type ClientHttp2Session } from "node:http2";
import { isIP } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { checkAltName } from "../lib/server-identity.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { canShareConnection, type Access, type ReadAccess } from "./access.ts";
import { Deadline } from "./deadline.ts";
import { toKubeError, KubeError } from "./kube-error.ts";

interface ConnectionObserver {
  /** A connection is open: the first one, or one that replaces another. */
  connected(): void;
  /** There is no connection. Called once for each outage. The caller of the next request retries. */
  disconnected(error: KubeError): void;
}

export interface ConnectionOptions {
  readonly readAccess: ReadAccess;
  readonly clock: Clock;
  readonly random?: () => number;
  readonly observer: ConnectionObserver;
}

/** An open HTTP/2 connection and the credentials that its requests carry. */
export interface Session {
  readonly http2: ClientHttp2Session;
  readonly access: Access;
}

const CONNECT_MS = 10_000;
/** Short, because callers have their own, longer backoff. The jitter spreads nodes that lost their connections together. */
const BACKOFF = { baseMs: 500, capMs: 5_000 };
/** As in client-go: a dead connection is detected within 45 seconds. */
const PING_MS = 30_000;
const PING_ANSWER_MS = 15_000;
/** Limit for the last bytes of a session to be written before its socket is destroyed. */
const FLUSH_MS = 1_000;
/**
 * As in client-go. With HTTP/2's default of 64 KiB a list waits for the server after every 64 KiB. A small window also
 * triggers a bug of Node 24: to widen the window it writes. If it writes twice after the server has reset the connection
 * and before it has read the reset, the failed write over TLS never completes, and Node reads nothing before it completes.
 */
const WINDOW_BYTES = { stream: 4 * 1024 ** 2, connection: 1024 ** 3 };
/**
 * Time from GOAWAY until the remaining streams are cancelled: random, so that the watches of all nodes do not move at once.
 * Short requests finish before it.
 */
const DRAIN_MS = { least: 20_000, spread: 20_000 };

/** The one connection to the API server, for all requests. It is opened when a request needs it. */
export class ApiServerConnection {
  readonly #options: ConnectionOptions;
  readonly #random: () => number;
  readonly #closing = new AbortController();
  readonly #openSessions = new Map<ClientHttp2Session, TLSSocket>();
  #current: Session | undefined;
  #opening: Promise<Session> | undefined;
  #renewing: Promise<void> | undefined;
  /** Attempts to connect since the last answer of a server. */
  #attempts = 0;
  /** Whether the current outage was reported. */
  #down = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
  }

  /**
   * Resolves to the open connection; opens one if needed, after a backoff.
   * @throws {KubeError}
   */
  async session(): Promise<Session> {
    // A GOAWAY closes the session for new requests before its listener in this class runs.
    if (this.#current?.http2.closed === false) return this.#current;
    this.#opening ??= this.#connect().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  /** Resets the backoff: the server has answered a request. */
  confirmAnswer(): void {
    this.#attempts = 1;
  }

  /**
   * Reads the credentials again, because the server rejected those of `session`. The connection stays unless its TLS options
   * or its address have changed.
   * @throws {KubeError} E_KUBE_CONFIG
   */
  async renewAccess(session: Session): Promise<void> {
    // Another request has already renewed it.
    if (this.#current !== session) return;
    this.#renewing ??= this.#renew(session).finally(() => {
      this.#renewing = undefined;
    });
    await this.#renewing;
  }

  /** Closes a connection for new requests. Its open streams can finish until `DRAIN_MS` has passed. */
  retire({ http2 }: Session): void {
    void this.#drain(http2);
  }

  /** Ends all connections immediately. Resolves when the sockets are closed. */
  async close(): Promise<void> {
    this.#closing.abort();
    const gone = [...this.#openSessions.keys()].map((http2) => new Promise((resolve) => http2.once("close", resolve)));
    for (const http2 of this.#openSessions.keys()) this.#terminate(http2, clientClosed());
    await Promise.all(gone);
  }

  async #renew(session: Session): Promise<void> {
    const access = await this.#options.readAccess();
    if (this.#current !== session) return;
    if (canShareConnection(access, session.access)) this.#current = { http2: session.http2, access };
    else this.retire(session);
  }

  async #connect(): Promise<Session> {
    const { clock } = this.#options;
    const { signal } = this.#closing;
    try {
      if (this.#attempts > 0) await clock.sleep(backoffMs(this.#attempts - 1, BACKOFF, this.#random), signal);
      this.#attempts++;
      const access = await this.#options.readAccess();
      if (signal.aborted) throw clientClosed();
      using deadline = new Deadline(CONNECT_MS, clock, signal);
      const http2 = await this.#dial(access, deadline);
      this.#current = { http2, access };
      this.#down = false;
      void this.#keepAlive(http2);
      this.#options.observer.connected();
      return this.#current;
    } catch (error) {
      const reason = toKubeError(error, "E_KUBE_UNREACHABLE", "the API server cannot be reached");
      this.#reportOutage(reason);
      throw reason;
    }
  }

  #dial(access: Access, deadline: Deadline): Promise<ClientHttp2Session> {
    return new Promise((resolve, reject) => {
      const { server } = access;
      const socket = dialTls(access);
      const settings = { enablePush: false, initialWindowSize: WINDOW_BYTES.stream };
      const http2 = connect(server.origin, { settings, createConnection: () => socket });
      let reason: KubeError | undefined;
      const abort = (): void => {
        this.#terminate(
          http2,
          deadline.expired ? timeoutError(`no connection to ${server.host}`, CONNECT_MS) : clientClosed(),
        );
      };
      deadline.signal.addEventListener("abort", abort, { once: true });
      this.#openSessions.set(http2, socket);
      http2.on("error", (error) => {
        reason = toKubeError(error, "E_KUBE_UNREACHABLE", `the connection to ${server.host} failed`);
      });
      http2.once("connect", () => {
        deadline.signal.removeEventListener("abort", abort);
        if (http2.alpnProtocol !== "h2") {
          this.#terminate(http2, new KubeError("E_KUBE_PROTOCOL", `${server.host} does not speak HTTP/2`));
          return;
        }
        http2.setLocalWindowSize(WINDOW_BYTES.connection);
        resolve(http2);
      });
      http2.once("goaway", (code) => {
        if (code === constants.NGHTTP2_NO_ERROR) void this.#drain(http2);
      });
      http2.once("close", () => {
        this.#openSessions.delete(http2);
        const why = reason ?? new KubeError("E_KUBE_CLOSED", `${server.host} closed the connection`);
        reject(why);
        this.#discard(http2, why);
      });
    });
  }

  async #drain(http2: ClientHttp2Session): Promise<void> {
    if (this.#current?.http2 === http2) this.#current = undefined;
    if (http2.closed) return;
    const ended = closeSignal(http2);
    http2.close();
    await this.#options.clock.sleep(DRAIN_MS.least + DRAIN_MS.spread * this.#random(), ended);
    this.#terminate(
      http2,
      new KubeError("E_KUBE_CLOSED", "the agent closed the connection: the server or the credentials changed"),
    );
  }

  async #keepAlive(http2: ClientHttp2Session): Promise<void> {
    const { clock } = this.#options;
    const ended = closeSignal(http2);
    for (;;) {
      await clock.sleep(PING_MS, ended);
      if (http2.destroyed || http2.closed) return;
      using deadline = new Deadline(PING_ANSWER_MS, clock, ended);
      deadline.signal.addEventListener("abort", () => {
        if (deadline.expired) this.#terminate(http2, timeoutError("no answer to a ping", PING_ANSWER_MS));
      });
      await new Promise<void>((resolve) => {
        deadline.signal.addEventListener("abort", () => {
          resolve();
        });
        http2.ping(() => {
          resolve();
        });
      });
    }
  }

  /** Ends a session without waiting for the server. `http2.close()` waits for the open streams, without a limit. */
  #terminate(http2: ClientHttp2Session, reason: KubeError): void {
    const socket = this.#openSessions.get(http2);
    if (socket === undefined) return;
    if (http2.connecting) {
      socket.destroy(reason);
      return;
    }
    this.#discard(http2, reason);
    http2.destroy(reason);
    void this.#destroySocket(socket);
    socket.unref();
  }

  /** Destroys the socket after the session has written its last bytes. An earlier destroy keeps Node 24 from exiting. */
  async #destroySocket(socket: TLSSocket): Promise<void> {
    const written = new AbortController();
    socket.once("finish", () => {
      written.abort();
    });
    // A peer that has stopped reading delays this by `FLUSH_MS` at most.
    if (!socket.writableFinished) await this.#options.clock.sleep(FLUSH_MS, written.signal);
    setImmediate(() => socket.destroy());
  }

  #discard(http2: ClientHttp2Session, reason: KubeError): void {
    if (this.#current?.http2 !== http2) return;
    this.#current = undefined;
    this.#reportOutage(reason);
  }

  #reportOutage(reason: KubeError): void {
    if (this.#down || this.#closing.signal.aborted) return;
    this.#down = true;
    this.#options.observer.disconnected(reason);
  }
}

function dialTls({ server, tls }: Access): TLSSocket {
  const host = server.hostname.replace(/^\[|\]$/g, "");
  const servername = tls.servername ?? (isIP(host) === 0 ? host : undefined);
  return connectTls({
    ...tls,
    host,
    port: Number(server.port || 443),
    ALPNProtocols: ["h2"],
    servername,
    checkServerIdentity: checkAltName,
  });
}

function closeSignal(http2: ClientHttp2Session): AbortSignal {
  const ended = new AbortController();
  http2.once("close", () => {
    ended.abort();
  });
  return ended.signal;
}

function clientClosed(): KubeError {
  return new KubeError("E_KUBE_CLOSED", "the client was closed");
}

function timeoutError(what: string, ms: number): KubeError {
  return new KubeError("E_KUBE_TIMEOUT", `${what} within ${ms} ms`);
}
