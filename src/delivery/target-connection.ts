import type { EffectiveTarget } from "../config/resolve.ts";
import type { Outcome } from "./outcome.ts";
import type { LineRequest, Transport, TransportContext } from "./protocol.ts";
import { configuredProtocol, type ProtocolOf } from "./protocols.ts";

export interface ConnectionOptions extends TransportContext {
  /** Overrides the protocol that the configuration asks for. */
  readonly protocolOf?: ProtocolOf | undefined;
}

/** The transport to a target, replaced when the target's settings change. */
export class TargetConnection {
  readonly #options: ConnectionOptions;
  #target: EffectiveTarget | undefined;
  #transport: Transport | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** Sends one request. First closes the transport of old settings: now no request is in flight on it. */
  send(target: EffectiveTarget, request: LineRequest, signal: AbortSignal): Promise<Outcome> {
    if (this.#target !== target) this.close();
    const { protocolOf = configuredProtocol } = this.#options;
    this.#transport ??= protocolOf(target).open(target, this.#options);
    this.#target = target;
    return this.#transport.send(request, signal);
  }

  close(): void {
    this.#transport?.close();
    this.#transport = undefined;
  }
}
