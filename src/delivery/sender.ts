import { messageOf } from "../errors.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import type { Frame, SpoolCursor } from "../spool/spool.ts";
import { Alarm } from "../lib/alarm.ts";
import { BatchLimit } from "./batch-limit.ts";
import { Bisection } from "./bisect.ts";
import { DrainPace } from "./drain-pace.ts";
import { classify, type FailureReason, type Outcome } from "./outcome.ts";
import { SenderRecord, type SenderObserver, type SenderState } from "./sender-record.ts";
import type { TargetSettings } from "./target.ts";
import { createTransport, type Transport } from "./transport.ts";

const BACKOFF = { baseMs: 500, capMs: 60_000 };
/** Nobody waits a minute for a drain to try again. */
const DRAIN_BACKOFF = { baseMs: 500, capMs: 1_000 };
/** Spreads nodes that were all told to come back at one moment. */
const RETRY_AFTER_JITTER = 0.1;

export interface SenderOptions {
  readonly clock: Clock;
  readonly observer: SenderObserver;
  readonly random?: () => number;
  readonly transport?: (settings: TargetSettings) => Transport;
}

export type { SenderObserver } from "./sender-record.ts";

interface Connection {
  readonly settings: TargetSettings;
  readonly transport: Transport;
}

/** A batch that is being sent in parts; it outlives an outage of the target. */
interface Search {
  readonly frames: readonly Frame[];
  readonly bisection: Bisection;
  durationMs: number;
}

type Setback = Extract<Outcome, { readonly reason: FailureReason }>;

/** Delivers the frames of one cursor to one target, in order, one request at a time, for as long as it takes. */
export class Sender {
  readonly #cursor: SpoolCursor;
  readonly #options: SenderOptions;
  readonly #stop = new AbortController();
  readonly #alarm: Alarm;
  readonly #limit: BatchLimit;
  readonly #pace = new DrainPace();
  readonly #record: SenderRecord;
  readonly #finished: Promise<void>;
  #settings: TargetSettings;
  #connection: Connection | undefined;
  #search: Search | undefined;
  #failures = 0;
  #drains = 0;
  #lastSentMs = Number.NEGATIVE_INFINITY;
  #progress = Promise.withResolvers<undefined>();

  constructor(settings: TargetSettings, cursor: SpoolCursor, options: SenderOptions) {
    this.#settings = settings;
    this.#cursor = cursor;
    this.#options = options;
    this.#alarm = new Alarm(options.clock);
    this.#limit = new BatchLimit(settings.flush.maxLines);
    this.#record = new SenderRecord(() => this.#settings.name, options.observer, options.clock);
    this.#finished = this.#run();
  }

  get name(): string {
    return this.#settings.name;
  }

  get state(): SenderState {
    return { ...this.#record.state, droppedLines: this.#cursor.droppedLines, batchLines: this.#limit.lines };
  }

  get backlog(): SpoolCursor["backlog"] {
    return this.#cursor.backlog;
  }

  /** The next request goes out with these settings, without waiting for a backoff to end. No frame is lost. */
  update(settings: TargetSettings): void {
    this.#settings = settings;
    this.#limit.reset(settings.flush.maxLines);
    this.#failures = 0;
    this.#alarm.ring();
  }

  /**
   * Sends what has been appended so far without waiting for more. Resolves when the target has taken (or, line by line,
   * refused: see `state.rejectedLines`) all of it: true; or when the signal aborts or a cap dropped lines meanwhile: false.
   */
  async drain(signal: AbortSignal): Promise<boolean> {
    const goal = this.#cursor.newest;
    const dropped = this.#cursor.droppedLines;
    const aborted = Promise.withResolvers<undefined>();
    const abort = (): void => {
      aborted.resolve(undefined);
    };
    signal.addEventListener("abort", abort, { once: true });
    this.#drains++;
    this.#alarm.ring();
    while (this.#lacks(goal) && !signal.aborted && !this.#stop.signal.aborted) {
      await Promise.race([this.#progress.promise, aborted.promise]);
    }
    this.#drains--;
    signal.removeEventListener("abort", abort);
    return !this.#lacks(goal) && this.#cursor.droppedLines === dropped;
  }

  /** Ends the loop; a request in flight is cut off and its frames stay in the spool. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#alarm.ring();
    await this.#finished;
    this.#connection?.transport.close();
    this.#advance();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!this.#stopped()) {
      this.#advance();
      let waitMs: number;
      try {
        if (this.#search === undefined) {
          await this.#cursor.ready(signal);
          if (!this.#stopped()) await this.#gather();
        }
        waitMs = this.#stopped() ? 0 : await this.#round();
      } catch (thrown) {
        // Nothing is known that throws here; but a target must never fall silent because of it.
        waitMs = this.#failed({
          kind: "retry",
          reason: "TargetUnreachable",
          detail: `internal fault: ${messageOf(thrown)}`,
        });
      }
      if (!this.#stopped()) await this.#alarm.sleep(waitMs);
    }
  }

  /** Waits for more lines to fill a request, for as long as the flush interval says. */
  async #gather(): Promise<void> {
    if (this.#drains > 0 || this.#cursor.backlog.lines >= this.#limit.lines) return;
    await this.#alarm.sleep(this.#lastSentMs + this.#settings.flush.intervalMs - this.#options.clock.monotonic());
  }

  /** One request, or a series of them for one batch, and what follows; returns how long to wait before the next. */
  async #round(): Promise<number> {
    if (this.#search !== undefined) return this.#continueSearch(this.#search);
    const limits = { maxLines: this.#limit.lines, maxRawBytes: this.#settings.flush.maxBytes };
    const frames = await this.#cursor.read(limits);
    // Too old by now, all of them.
    if (frames.length === 0) return 0;
    const lines = linesOf(frames);
    // A frame comes whole, even if it is larger than what the target takes.
    if (lines > limits.maxLines || rawBytesOf(frames) > limits.maxRawBytes)
      return this.#beginSearch(frames, limits.maxLines);
    const begun = this.#options.clock.monotonic();
    const outcome = await this.#send(Buffer.concat(frames.map(({ payload }) => payload)), lines);
    if (this.#stopped()) return 0;
    const durationMs = this.#options.clock.monotonic() - begun;
    switch (outcome.kind) {
      case "delivered":
        return this.#taken(frames, durationMs, { rejectedLines: 0, example: "" });
      case "partial": {
        const rejectedLines = Math.min(lines, outcome.rejectedLines);
        return this.#taken(frames, durationMs, { rejectedLines, example: outcome.detail });
      }
      case "tooLarge":
        return frames.length > 1 ? 0 : this.#beginSearch(frames, this.#limit.lines);
      case "refused":
        return this.#beginSearch(frames, Math.ceil(lines / 2));
      default:
        return this.#failed(outcome);
    }
  }

  async #beginSearch(frames: readonly Frame[], maxLines: number): Promise<number> {
    const { maxBytes } = this.#settings.flush;
    this.#search = { frames, bisection: await Bisection.of(frames, { maxLines, maxBytes }), durationMs: 0 };
    return this.#continueSearch(this.#search);
  }

  async #continueSearch(search: Search): Promise<number> {
    const begun = this.#options.clock.monotonic();
    const interruption = await search.bisection.run((body, lines) => this.#send(body, lines));
    search.durationMs += this.#options.clock.monotonic() - begun;
    if (this.#stopped()) return 0;
    if (interruption !== undefined) return isSetback(interruption) ? this.#failed(interruption) : 0;
    this.#search = undefined;
    return this.#taken(search.frames, search.durationMs, search.bisection);
  }

  async #send(body: Uint8Array, lines: number): Promise<Outcome> {
    this.#lastSentMs = this.#options.clock.monotonic();
    this.#record.request(body.length);
    const { transport, settings } = this.#connect();
    const answer = await transport.send(body, this.#stop.signal);
    const outcome = classify(answer, { protocol: settings.protocol, nowMs: this.#options.clock.now() });
    if (outcome.kind === "tooLarge") this.#limit.shrinkBelow(lines);
    if (outcome.kind === "delivered") this.#limit.grow();
    if (outcome.kind !== "retry" && outcome.kind !== "misconfigured" && !this.#stopped()) {
      this.#failures = 0;
      // Whatever it says of the lines, the target answers again.
      this.#record.answered();
    }
    return outcome;
  }

  /** New settings get a new connection, but only here, where no request is in flight on the old one. */
  #connect(): Connection {
    if (this.#connection?.settings !== this.#settings) {
      this.#connection?.transport.close();
      this.#connection = undefined;
      const transport = (this.#options.transport ?? createTransport)(this.#settings);
      this.#connection = { settings: this.#settings, transport };
    }
    return this.#connection;
  }

  #taken(
    frames: readonly Frame[],
    durationMs: number,
    { rejectedLines, example }: { readonly rejectedLines: number; readonly example: string },
  ): number {
    const last = frames.at(-1);
    if (last !== undefined) this.#cursor.acknowledge(last.sequence);
    this.#record.taken(linesOf(frames) - rejectedLines, durationMs);
    if (rejectedLines > 0) this.#record.rejected(rejectedLines, example);
    const paceMs = this.#pace.durationMs(frames, this.#settings.maxDrainLinesPerSecond) - durationMs;
    return this.#cursor.backlog.frames > 0 && this.#drains === 0 ? paceMs : 0;
  }

  #failed(setback: Setback): number {
    if (this.#stopped()) return 0;
    this.#record.failed(setback.reason, setback.detail);
    const random = this.#options.random ?? Math.random;
    const waitMs = backoffMs(this.#failures++, this.#drains > 0 ? DRAIN_BACKOFF : BACKOFF, random);
    const afterMs = setback.kind === "retry" ? (setback.afterMs ?? 0) : 0;
    return Math.max(waitMs, afterMs * (1 + RETRY_AFTER_JITTER * random()));
  }

  /** Whether a frame up to this one is neither taken nor dropped. */
  #lacks(goal: bigint | undefined): boolean {
    const { oldest } = this.#cursor;
    return goal !== undefined && oldest !== undefined && oldest <= goal;
  }

  /** Something may have been taken or dropped: lets a drain look. */
  #advance(): void {
    this.#progress.resolve(undefined);
    this.#progress = Promise.withResolvers();
  }

  #stopped(): boolean {
    return this.#stop.signal.aborted;
  }
}

function linesOf(frames: readonly Frame[]): number {
  return frames.reduce((sum, { lines }) => sum + lines, 0);
}

function rawBytesOf(frames: readonly Frame[]): number {
  return frames.reduce((sum, { rawBytes }) => sum + rawBytes, 0);
}

function isSetback(outcome: Outcome): outcome is Setback {
  return outcome.kind === "retry" || outcome.kind === "misconfigured";
}
