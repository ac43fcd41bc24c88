import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import type { Frame, SpoolCursor } from "../spool/spool.ts";
import { bisect } from "./bisect.ts";
import { classify, type FailureReason, type Outcome } from "./outcome.ts";
import type { TargetSettings } from "./target.ts";
import { createTransport, type Transport } from "./transport.ts";

const BACKOFF = { baseMs: 500, capMs: 60_000 };

/** What a sender tells of its work. Texts hold no credentials. */
export interface SenderObserver {
  delivered(target: string, lines: number, durationMs: number): void;
  /** The target stopped taking lines, or stopped for another reason than before. The lines wait. */
  failing(target: string, reason: FailureReason, detail: string): void;
  recovered(target: string): void;
  /** Lines that the target refuses for good. */
  rejected(target: string, lines: number, example: string): void;
}

export interface SenderState {
  readonly reason: FailureReason | undefined;
  readonly deliveredLines: number;
  readonly rejectedLines: number;
}

export interface SenderOptions {
  readonly clock: Clock;
  readonly observer: SenderObserver;
  readonly random?: () => number;
  readonly transport?: (settings: TargetSettings) => Transport;
}

/** Delivers the frames of one cursor to one target, in order, one request at a time, for as long as it takes. */
export class Sender {
  readonly #cursor: SpoolCursor;
  readonly #options: SenderOptions;
  readonly #stop = new AbortController();
  #settings: TargetSettings;
  #transport: Transport;
  /** Aborted to end a wait early: new settings, or a drain. */
  #wake = new AbortController();
  #draining = false;
  #maxLines: number;
  #failures = 0;
  #reason: FailureReason | undefined;
  #deliveredLines = 0;
  #rejectedLines = 0;
  #lastSentMs = Number.NEGATIVE_INFINITY;
  readonly #finished: Promise<void>;

  constructor(settings: TargetSettings, cursor: SpoolCursor, options: SenderOptions) {
    this.#settings = settings;
    this.#cursor = cursor;
    this.#options = options;
    this.#maxLines = settings.flush.maxLines;
    this.#transport = this.#createTransport();
    this.#finished = this.#run();
  }

  get name(): string {
    return this.#settings.name;
  }

  get state(): SenderState {
    return { reason: this.#reason, deliveredLines: this.#deliveredLines, rejectedLines: this.#rejectedLines };
  }

  get backlog(): SpoolCursor["backlog"] {
    return this.#cursor.backlog;
  }

  /** The next request goes out with these settings, without waiting for a backoff to end. */
  update(settings: TargetSettings): void {
    const old = this.#transport;
    this.#settings = settings;
    this.#maxLines = settings.flush.maxLines;
    this.#transport = this.#createTransport();
    old.close();
    this.#failures = 0;
    this.#wakeUp();
  }

  /** Sends what is there without waiting for more; resolves to whether everything was taken before the signal aborted. */
  async drain(signal: AbortSignal): Promise<boolean> {
    this.#draining = true;
    this.#wakeUp();
    while (this.#cursor.backlog.frames > 0 && !signal.aborted) await this.#options.clock.sleep(20, signal);
    this.#draining = false;
    return this.#cursor.backlog.frames === 0;
  }

  /** Ends the loop; a request in flight is cut off and its frames stay in the spool. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wakeUp();
    await this.#finished;
    this.#transport.close();
  }

  #createTransport(): Transport {
    return (this.#options.transport ?? createTransport)(this.#settings);
  }

  #wakeUp(): void {
    this.#wake.abort();
    this.#wake = new AbortController();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    for (;;) {
      await this.#cursor.ready(signal);
      if (signal.aborted) return;
      await this.#gather();
      if (signal.aborted) return;
      const { flush } = this.#settings;
      const frames = await this.#cursor.read({ maxLines: this.#maxLines, maxRawBytes: flush.maxBytes });
      const waitMs = await this.#deliver(frames);
      if (waitMs > 0) await this.#sleep(waitMs);
    }
  }

  /** Waits for more lines to fill a request, for as long as the flush interval says. */
  async #gather(): Promise<void> {
    const { intervalMs, maxLines } = this.#settings.flush;
    if (this.#draining || this.#cursor.backlog.lines >= maxLines) return;
    await this.#sleep(this.#lastSentMs + intervalMs - this.#options.clock.monotonic());
  }

  async #sleep(ms: number): Promise<void> {
    if (ms > 0) await this.#options.clock.sleep(ms, this.#wake.signal);
  }

  /** One request and what follows from it; returns how long to wait before the next. */
  async #deliver(frames: readonly Frame[]): Promise<number> {
    const lines = frames.reduce((sum, frame) => sum + frame.lines, 0);
    const begun = this.#options.clock.monotonic();
    this.#lastSentMs = begun;
    const outcome = await this.#send(Buffer.concat(frames.map(({ payload }) => payload)));
    if (this.#stop.signal.aborted) return 0;
    const durationMs = this.#options.clock.monotonic() - begun;
    switch (outcome.kind) {
      case "delivered":
        return this.#taken(frames, { lines, durationMs, rejected: 0, example: "" });
      case "partial":
        return this.#taken(frames, { lines, durationMs, rejected: 1, example: outcome.detail });
      case "tooLarge":
        if (frames.length > 1) {
          this.#maxLines = Math.max(1, Math.floor(lines / 2));
          return 0;
        }
        return this.#search(frames, lines, begun);
      case "refused":
        return this.#search(frames, lines, begun);
      default:
        return this.#failed(outcome);
    }
  }

  async #search(frames: readonly Frame[], lines: number, begun: number): Promise<number> {
    const { rejectedLines: rejected, example, interrupted } = await bisect(frames, (body) => this.#send(body));
    if (this.#stop.signal.aborted) return 0;
    if (interrupted !== undefined) return this.#failed(interrupted);
    return this.#taken(frames, { lines, durationMs: this.#options.clock.monotonic() - begun, rejected, example });
  }

  async #send(body: Uint8Array): Promise<Outcome> {
    return classify(await this.#transport.send(body, this.#stop.signal), this.#options.clock.now());
  }

  #taken(
    frames: readonly Frame[],
    { lines, durationMs, rejected, example }: { lines: number; durationMs: number; rejected: number; example: string },
  ): number {
    const { observer } = this.#options;
    const { name, flush, maxDrainLinesPerSecond } = this.#settings;
    const last = frames.at(-1);
    if (last !== undefined) this.#cursor.acknowledge(last.sequence);
    this.#failures = 0;
    this.#maxLines = Math.min(flush.maxLines, this.#maxLines * 2);
    this.#deliveredLines += lines - rejected;
    this.#rejectedLines += rejected;
    if (this.#reason !== undefined) observer.recovered(name);
    this.#reason = undefined;
    observer.delivered(name, lines - rejected, durationMs);
    if (rejected > 0) observer.rejected(name, rejected, example);
    const catchingUp = maxDrainLinesPerSecond > 0 && this.#cursor.backlog.frames > 0;
    return catchingUp ? (lines / maxDrainLinesPerSecond) * 1000 - durationMs : 0;
  }

  #failed(outcome: Outcome): number {
    if (outcome.kind !== "retry" && outcome.kind !== "misconfigured") return 0;
    if (this.#reason !== outcome.reason) this.#options.observer.failing(this.name, outcome.reason, outcome.detail);
    this.#reason = outcome.reason;
    const wait = backoffMs(this.#failures++, BACKOFF, this.#options.random);
    return Math.max(wait, outcome.kind === "retry" ? (outcome.afterMs ?? 0) : 0);
  }
}
