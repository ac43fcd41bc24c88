import type { Clock } from "../lib/clock.ts";
import { classify, type Outcome } from "./outcome.ts";
import type { ProxyEnvironment } from "./http/proxy.ts";
import type { TargetSettings } from "./target.ts";
import { createTransport, type Transport } from "./http/http-client.ts";

export interface ConnectionOptions {
  readonly clock: Clock;
  /** The environment variables that name proxies; none is used without. */
  readonly proxies?: ProxyEnvironment | undefined;
  readonly transport?: (settings: TargetSettings) => Transport;
}

interface Request {
  readonly body: Uint8Array;
  /** How many are in the body. */
  readonly lines: number;
}

/** The way to a target under its settings of the moment. */
export class TargetConnection {
  readonly #clock: Clock;
  readonly #make: (settings: TargetSettings) => Transport;
  #settings: TargetSettings | undefined;
  #transport: Transport | undefined;

  constructor({ clock, proxies, transport }: ConnectionOptions) {
    this.#clock = clock;
    this.#make = transport ?? ((settings) => createTransport(settings, proxies));
  }

  /** New settings get a new connection, but only here, where no request is in flight on the old one. */
  async send(settings: TargetSettings, { body, lines }: Request, signal: AbortSignal): Promise<Outcome> {
    if (this.#settings !== settings) this.close();
    this.#transport ??= this.#make(settings);
    this.#settings = settings;
    const answer = await this.#transport.send(body, signal);
    return classify(answer, { lines, protocol: settings.protocol, nowMs: this.#clock.now() });
  }

  close(): void {
    this.#transport?.close();
    this.#transport = undefined;
  }
}
