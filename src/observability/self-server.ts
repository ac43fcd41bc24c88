import type { Clock } from "../lib/clock.ts";
import type { Histogram } from "../lib/histogram.ts";
import { EventLoopLag } from "./event-loop-lag.ts";
import { HttpServer, type Routes } from "./http-server.ts";
import type { ListenAddress } from "./listen-address.ts";

export interface SelfServerOptions {
  readonly address: ListenAddress;
  readonly routes: (eventLoopLag: Histogram) => Routes;
  readonly clock: Clock;
  readonly faulted: (error: unknown) => void;
}

/** Tells of this process, over HTTP. */
export class SelfServer implements AsyncDisposable {
  readonly #server: HttpServer;
  readonly #stop = new AbortController();
  readonly #watching: Promise<void>;

  private constructor(server: HttpServer, lag: EventLoopLag, clock: Clock) {
    this.#server = server;
    this.#watching = lag.watch(clock, this.#stop.signal);
  }

  /** @throws {TelemetryError} E_LISTEN */
  static async start({ address, routes, clock, faulted }: SelfServerOptions): Promise<SelfServer> {
    const lag = new EventLoopLag();
    return new SelfServer(await HttpServer.listen({ address, routes: routes(lag.histogram), faulted }), lag, clock);
  }

  /** Where it listens, as HOST:PORT. */
  get address(): string {
    return this.#server.address;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#watching;
    await this.#server[Symbol.asyncDispose]();
  }
}
