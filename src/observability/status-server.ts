import { messageOf } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { Histogram } from "../lib/histogram.ts";
import { RateLimit, WARNING_PERIOD_MS } from "../lib/rate-limit.ts";
import type { Logger } from "../log.ts";
import { HttpServer, type Routes } from "./http-server.ts";
import type { ListenAddress } from "./listen-address.ts";
import { EventLoopLag } from "./process-view.ts";

export interface StatusServerOptions {
  readonly address: ListenAddress;
  readonly allowedHosts: ReadonlySet<string>;
  readonly routes: (eventLoopLag: Histogram) => Routes;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Serves metrics, health and the status page over HTTP, and measures the lag of the event loop for them. */
export class StatusServer implements AsyncDisposable {
  readonly #server: HttpServer;
  readonly #stop = new AbortController();
  readonly #watching: Promise<void>;

  private constructor(server: HttpServer, watch: (signal: AbortSignal) => Promise<void>) {
    this.#server = server;
    this.#watching = watch(this.#stop.signal);
  }

  /** @throws {TelemetryError} E_LISTEN */
  static async start({ address, allowedHosts, routes, clock, log }: StatusServerOptions): Promise<StatusServer> {
    const lag = new EventLoopLag();
    // Readers must not be able to flood the log.
    const warnings = new RateLimit(WARNING_PERIOD_MS, clock);
    const server = await HttpServer.listen({
      address,
      allowedHosts,
      routes: routes(lag.histogram),
      onError: (error) => {
        if (!warnings.allows(messageOf(error))) return;
        log.error({ err: error, code: "E_INTERNAL" }, "serving metrics, health or the status page failed");
      },
    });
    log.info({ address: server.address }, "serving metrics, health and the status page");
    return new StatusServer(server, (signal) => lag.watch(clock, signal));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#watching;
    await this.#server[Symbol.asyncDispose]();
  }
}
