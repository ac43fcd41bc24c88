import type { Writable } from "node:stream";
import type { EffectiveTarget } from "../config/resolve.ts";
import type { Clock } from "../lib/clock.ts";
import type { FramePayload } from "../spool/gzip-member.ts";
import type { ProxyEnvironment } from "./http/proxy.ts";
import type { Outcome } from "./outcome.ts";

/**
 * How lines get to one kind of target. The rest of delivery knows only this interface: a new kind of target is a file
 * that exports a Protocol, and a row in `protocols.ts`.
 */
export interface Protocol {
  /** Returns a text that is equal for two targets if they store lines in the same place. */
  destination(target: EffectiveTarget): string;
  /** Returns a transport to a target. A target with new settings gets a new transport. */
  open(target: EffectiveTarget, context: TransportContext): Transport;
  /** Returns the request body for these frames, at least one. Rejects if a frame is damaged. */
  body(frames: readonly FramePayload[]): Promise<Uint8Array>;
  /**
   * Returns where a rejected batch of line protocol may be cut to find its bad lines: byte offsets, from 0 to the length
   * of `lines`. The target stores or rejects the lines between two offsets together.
   */
  split(lines: Uint8Array): readonly number[];
  /**
   * Functions that return the kind of a line, the coarsest first. Lines of one kind are often good or bad together, so the search
   * for bad lines separates the kinds first.
   */
  readonly kinds: readonly ((line: Uint8Array) => string)[];
}

export interface TransportContext {
  readonly clock: Clock;
  /** The environment variables that name proxies. Without them no proxy is used. */
  readonly proxies?: ProxyEnvironment | undefined;
  /** Receives a text when the transport has to work in another way from then on. */
  readonly notice?: ((text: string) => void) | undefined;
  /** The output of this process. */
  readonly stdout?: Writable | undefined;
}

/** Sends requests to one target. */
export interface Transport {
  /** Sends one request and resolves to what became of its lines. Never rejects. */
  send(request: LineRequest, signal: AbortSignal): Promise<Outcome>;
  /** Closes all connections. A request in flight fails. */
  close(): void;
}

export interface LineRequest {
  readonly body: Uint8Array;
  /** Number of lines in the body. */
  readonly lines: number;
}
