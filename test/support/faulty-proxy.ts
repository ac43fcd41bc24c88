// A proxy between a client of InfluxDB and a real server, with the faults of networks, gateways and servers:
//
//   const proxy = await FaultyProxy.start(server.url, { seed: 1 });   // proxy.url instead of the server's
//   proxy.counts                                                      // what it did, by kind
//   proxy.calm()                                                      // no more faults
//   await proxy[Symbol.asyncDispose]()
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync, gzipSync } from "node:zlib";
import { mulberry32 } from "../../src/simulator/synthetic-domain.ts";
import { FAULT_KINDS, FaultDeck, type FaultKind } from "./fault-deck.ts";
import { faultyAnswer, reply, type Reply } from "./faulty-answers.ts";
import { readFirstMember } from "./gzip-member.ts";
import { conflicting, spoil } from "./spoiled-lines.ts";

export interface FaultyProxyOptions {
  readonly seed: number;
  /** Kinds of faults; all by default. */
  readonly faults?: readonly FaultKind[];
  /** Requests without a fault for each fault; one by default. */
  readonly passes?: number;
  /** Limit of a body on the wire; above it the proxy answers 413. */
  readonly maxBodyBytes?: number;
  /** The server reads only the first gzip member of a body, as InfluxDB 3.0 to 3.7 does. */
  readonly firstMemberOnly?: boolean;
  /** Lines that arrive in a form that the server cannot parse; see `spoil`. */
  readonly isBad?: (line: string) => boolean;
  /** Lines that arrive with a field of another type; see `conflicting`. */
  readonly isConflicting?: (line: string) => boolean;
}

/**
 * Counted events: faults, the answers 413, 422, and 400 of each kind, requests that the server stored whole, and requests that came
 * before the Retry-After of their connection allowed it.
 */
export type Event = FaultKind | "413" | "422" | "400 partial" | "400 whole" | "taken" | "early";

interface Write {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly body: Buffer;
  /** The body without compression. */
  readonly text: string;
}

/** An address of its own, so that no other program can take the port while this proxy does not listen. */
const HOST = "127.0.0.2";
const [REFUSE_MS, SLOW_MS] = [1_500, 1_000];
const TRICKLE_MS = 50;
/** A timer may fire this much too early. */
const TOLERANCE_MS = 20;

export class FaultyProxy implements AsyncDisposable {
  readonly url: string;
  readonly counts = new Map<Event, number>();
  readonly #upstream: string;
  readonly #options: FaultyProxyOptions;
  readonly #deck: FaultDeck;
  /** Random durations. Separate from the deck, whose order would otherwise depend on the order of calls. */
  readonly #random: () => number;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;
  /** Connection -> earliest time of its next request. */
  readonly #notBefore = new WeakMap<Socket, number>();
  readonly #stop = new AbortController();
  #calm = false;

  private constructor(upstream: string, options: FaultyProxyOptions, { server, sockets }: Listening) {
    const { seed, faults = FAULT_KINDS, passes = 1 } = options;
    this.#upstream = upstream.replace(/\/$/, "");
    this.#options = options;
    this.#random = mulberry32(seed + 1);
    this.#deck = new FaultDeck(faults, { seed, passes });
    this.#server = server;
    this.#sockets = sockets;
    this.url = `http://${HOST}:${(server.address() as AddressInfo).port}`;
    server.on("request", (request, response) => {
      void this.#receive(request, response).catch(() => request.socket.destroy());
    });
  }

  static async start(upstream: string, options: FaultyProxyOptions): Promise<FaultyProxy> {
    return new FaultyProxy(upstream, options, await startServer());
  }

  /** Ends the faults. Bodies that are too large and bad lines are still rejected. */
  calm(): void {
    this.#calm = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#close();
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#countEarly(request);
    const fault = this.#calm ? undefined : this.#deck.draw();
    try {
      if (fault === "slow") await this.#pause(SLOW_MS * this.#random());
      const body = await buffer(request);
      await this.#handle({ request, response, ...this.#decoded(request, body) }, fault);
    } catch (error) {
      this.#deck.putBack(fault);
      throw error;
    }
  }

  #decoded(request: IncomingMessage, received: Buffer): Pick<Write, "body" | "text"> {
    if (request.headers["content-encoding"] !== "gzip") return { body: received, text: received.toString() };
    const behind = this.#options.firstMemberOnly === true ? readFirstMember(received).behind : 0;
    const body = received.subarray(0, received.length - behind);
    return { body, text: gunzipSync(body).toString() };
  }

  #countEarly({ socket }: IncomingMessage): void {
    if (Date.now() + TOLERANCE_MS < (this.#notBefore.get(socket) ?? 0)) this.#count("early");
  }

  async #handle(write: Write, fault: FaultKind | undefined): Promise<void> {
    const { request, response, body } = write;
    if (body.length > (this.#options.maxBodyBytes ?? Infinity)) {
      this.#deck.putBack(fault);
      this.#count("413");
      reply(response, { status: 413, body: "Request Entity Too Large" });
      return;
    }
    if (fault === "garble" && !mayBeGarbled(write)) {
      this.#deck.putBack(fault);
      fault = undefined;
    }
    if (fault !== undefined) this.#count(fault);
    const { socket } = request;
    switch (fault) {
      case undefined:
      case "slow":
        reply(response, await this.#pass(write));
        break;
      case "garble":
        reply(response, await this.#pass({ ...write, body: body.subarray(0, -12) }));
        break;
      case "lostAck":
        await this.#pass(write);
        socket.destroy();
        break;
      case "trickle":
        await this.#pass(write);
        await this.#trickle(socket);
        break;
      case "reset":
        socket.resetAndDestroy();
        break;
      case "refuse":
        await this.#refuse(REFUSE_MS * (0.5 + this.#random()));
        break;
      case "hang":
        break;
      default: {
        const { notBeforeMs, ...answer } = faultyAnswer(fault, request, write.text.split("\n").filter(Boolean).length);
        this.#notBefore.set(socket, notBeforeMs);
        reply(response, answer);
      }
    }
  }

  /** Resolves to the server's answer. */
  async #pass({ request, body, text }: Write): Promise<Reply> {
    const arriving = this.#spoiled(text);
    const whole = arriving === text ? body : gzipSync(arriving);
    const { authorization, "content-encoding": encoding = "identity", "content-type": type } = request.headers;
    const answer = await fetch(`${this.#upstream}${request.url ?? ""}`, {
      method: request.method ?? "POST",
      headers: {
        ...(authorization !== undefined && { authorization }),
        ...(type !== undefined && { "content-type": type }),
        "content-encoding": whole === body ? encoding : "gzip",
      },
      body: new Uint8Array(whole),
    });
    const { status, headers } = answer;
    const answerText = await answer.text();
    if (status === 400) this.#count(answerText.includes("partial write") ? "400 partial" : "400 whole");
    if (status === 422) this.#count("422");
    if (answer.ok) this.#count("taken");
    return { status, body: answerText, headers: { "content-type": headers.get("content-type") ?? "application/json" } };
  }

  #spoiled(text: string): string {
    const { isBad = () => false, isConflicting = () => false } = this.#options;
    const lines = text.split("\n");
    return lines.map((line) => (isBad(line) ? spoil(line) : isConflicting(line) ? conflicting(line) : line)).join("\n");
  }

  async #trickle(socket: Socket): Promise<void> {
    socket.write("HTTP/1.1 204 No Content\r\nx-slow: ");
    while (!socket.destroyed && !this.#stop.signal.aborted) {
      socket.write("z");
      await this.#pause(TRICKLE_MS);
    }
  }

  async #refuse(ms: number): Promise<void> {
    const { port } = this.#server.address() as AddressInfo;
    await this.#close();
    await this.#pause(ms);
    if (!this.#stop.signal.aborted) await listen(this.#server, port);
  }

  async #close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stop.signal }).catch(() => undefined);
  }

  #count(event: Event): void {
    this.counts.set(event, (this.counts.get(event) ?? 0) + 1);
  }
}

/**
 * Returns whether the body may be cut. Without gzip, the rest of it could be a valid line with a wrong value. If the body has a
 * single line, the server would call this line bad, and the agent would have to reject it.
 */
function mayBeGarbled({ request, text }: Write): boolean {
  return request.headers["content-encoding"] === "gzip" && text.indexOf("\n") < text.length - 1;
}

interface Listening {
  readonly server: Server;
  readonly sockets: Set<Socket>;
}

async function startServer(): Promise<Listening> {
  const sockets = new Set<Socket>();
  const server = createServer();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
  });
  await listen(server, 0);
  return { server, sockets };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, HOST, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
