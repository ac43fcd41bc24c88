import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";

/** Lines of one request that were written at one time. Times are in milliseconds since the epoch. */
export interface Arrival {
  readonly writtenMs: number;
  readonly atMs: number;
  readonly lines: number;
}

/** Ignore: accepts every request without reading it. Refuse: answers 503. Hang: accepts requests and never answers. */
type Mode = "take" | "ignore" | "refuse" | "hang";

/** A server that records a writer's lines and their times, with or without a real InfluxDB behind it. */
export class Arrivals implements AsyncDisposable {
  readonly all: Arrival[] = [];
  readonly url: string;
  mode: Mode;
  readonly #server: Server;
  readonly #upstream: string | undefined;

  private constructor(server: Server, mode: Mode, upstream: string | undefined) {
    this.#server = server;
    this.#upstream = upstream;
    this.mode = mode;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("request", (request, response) => {
      void this.#receive(request, response).catch(() => request.socket.destroy());
    });
  }

  static async start(mode: Mode, upstream?: string): Promise<Arrivals> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new Arrivals(server, mode, upstream);
  }

  /** Returns the number of received lines that were written at matching times. */
  count(fits: (writtenMs: number) => boolean): number {
    return this.all.reduce((sum, { writtenMs, lines }) => sum + (fits(writtenMs) ? lines : 0), 0);
  }

  /** Returns the longest time from writing lines until they were stored. */
  maxLagMs(fits: (writtenMs: number) => boolean): number {
    const lags = this.all.filter(({ writtenMs }) => fits(writtenMs)).map(({ writtenMs, atMs }) => atMs - writtenMs);
    return Math.max(...lags);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    if (this.mode === "hang") return;
    if (this.mode === "refuse") {
      response.writeHead(503).end();
      return;
    }
    const answer = this.#upstream === undefined ? { status: 204, text: "" } : await this.#pass(request, body);
    if (answer.status === 204 && this.mode === "take") this.#note(body);
    response.writeHead(answer.status).end(answer.text);
  }

  async #pass({ url = "", headers }: IncomingMessage, body: Buffer): Promise<{ status: number; text: string }> {
    const { authorization = "" } = headers;
    const answer = await fetch(`${this.#upstream ?? ""}${url}`, {
      method: "POST",
      headers: { "content-encoding": "gzip", ...(authorization !== "" && { authorization }) },
      body: new Uint8Array(body),
    });
    return { status: answer.status, text: await answer.text() };
  }

  #note(body: Buffer): void {
    const atMs = Date.now();
    const text = gunzipSync(body).toString("latin1");
    const counts = new Map<string, number>();
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", end + 1)) {
      const written = text.slice(end - 19, end - 6);
      counts.set(written, (counts.get(written) ?? 0) + 1);
    }
    for (const [written, lines] of counts) this.all.push({ writtenMs: Number(written), atMs, lines });
  }
}
