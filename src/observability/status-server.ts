import { messageOf } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { RateLimit, WARNING_PERIOD_MS } from "../lib/rate-limit.ts";
import type { Logger } from "../log.ts";
import { HttpServer, type Routes } from "./http-server.ts";
import type { ListenAddress } from "./listen-address.ts";

export interface StatusServerOptions {
  readonly address: ListenAddress;
  readonly allowedHosts: ReadonlySet<string>;
  readonly routes: Routes;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Serves metrics, health and the status page over HTTP. */
export class StatusServer implements AsyncDisposable {
  readonly #server: HttpServer;

  private constructor(server: HttpServer) {
    this.#server = server;
  }

  /** @throws {TelemetryError} E_LISTEN */
  static async start({ address, allowedHosts, routes, clock, log }: StatusServerOptions): Promise<StatusServer> {
    // Readers must not be able to flood the log.
    const warnings = new RateLimit(WARNING_PERIOD_MS, clock);
    const server = await HttpServer.listen({
      address,
      allowedHosts,
      routes,
      onError: (error) => {
        if (!warnings.allows(messageOf(error))) return;
        log.error({ err: error, code: "E_INTERNAL" }, "serving metrics, health or the status page failed");
      },
    });
    log.info({ address: server.address }, "serving metrics, health and the status page");
    return new StatusServer(server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}
