import { messageOf } from "../errors.ts";
import { InterruptibleSleep } from "../lib/interruptible-sleep.ts";
import type { Clock } from "../lib/clock.ts";
import { Notifier } from "../lib/notifier.ts";
import type { Losses } from "../spool/losses.ts";
import type { Frame, SpoolCursor } from "../spool/spool.ts";
import { BatchLimit } from "./batch-limit.ts";
import { RequestBodyCache } from "./request-body-cache.ts";
import { TargetConnection, type ConnectionOptions } from "./target-connection.ts";
import { linesOf, rawBytesOf } from "./frames.ts";
import type { Lane } from "./lane.ts";
import type { Lanes } from "./lanes.ts";
import { isNotDelivered, type Outcome, type NotDelivered } from "./outcome.ts";
import { countLines, exampleOf, rejectionsOf, type Rejection } from "./rejection.ts";
import type { RejectedSink } from "./rejected-lines.ts";
import { retryPauseMs } from "./retry-pause.ts";
import type { BadLineSearch } from "./bad-line-search.ts";
import { SenderStats, type SenderObserver, type SenderState } from "./sender-stats.ts";
import type { TargetSettings } from "./target.ts";

/** Spreads nodes that were all told to come back at one moment. */
const RETRY_AFTER_JITTER = 0.1;
/** A batch that meets with nothing but faults of the server for so long may be what causes them. */
const POISON_MS = 300_000;
/** Lines that had to wait for longer are of the past, if there are many of them. */
const PAST_MS = 10_000;
/** When there is something to read that cannot be read. */
const UNREADABLE_MS = 1_000;

export interface SenderOptions extends ConnectionOptions {
  readonly clock: Clock;
  readonly observer: SenderObserver;
  readonly random?: () => number;
  /** Shared by senders with the same spool. */
  readonly bodyCache?: RequestBodyCache;
  /** Gets the lines that are refused for good. */
  readonly rejectedLines?: RejectedSink | undefined;
}

export type { SenderObserver } from "./sender-stats.ts";

/**
 * Delivers the frames for one target, one request at a time, for as long as it takes. Those of one lane go in order, and
 * what is new goes before what is left of an outage.
 */
export class Sender {
  readonly #lanes: Lanes;
  readonly #options: SenderOptions;
  readonly #random: () => number;
  readonly #stop = new AbortController();
  readonly #alarm: InterruptibleSleep;
  readonly #limit: BatchLimit;
  readonly #record: SenderStats;
  readonly #connection: TargetConnection;
  readonly #bodies: RequestBodyCache;
  readonly #finished: Promise<void>;
  #settings: TargetSettings;
  #failures = 0;
  /** Requests of which the target took something. */
  #passes = 0;
  #drains = 0;
  /** Something may have been taken or dropped. */
  readonly #progress = new Notifier();

  constructor(settings: TargetSettings, lanes: Lanes, options: SenderOptions) {
    this.#settings = settings;
    this.#lanes = lanes;
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#alarm = new InterruptibleSleep(options.clock);
    this.#limit = new BatchLimit(settings.flush.maxLines);
    this.#record = new SenderStats(() => this.#settings.name, options.observer, options.clock);
    this.#connection = new TargetConnection(options);
    this.#bodies = options.bodyCache ?? new RequestBodyCache();
    this.#finished = this.#run();
  }

  get name(): string {
    return this.#settings.name;
  }

  get settings(): TargetSettings {
    return this.#settings;
  }

  /** The cursor of the spool to which what is new for this target is to be appended. */
  get appendCursor(): string {
    return this.#lanes.live.name;
  }

  get state(): SenderState {
    return { ...this.#record.state, droppedLines: this.#lanes.droppedLines, batchLines: this.#limit.lines };
  }

  get backlog(): SpoolCursor["backlog"] {
    return this.#lanes.backlog;
  }

  /** Lines that were lost before the target took them, by reason. */
  get losses(): Losses {
    return this.#lanes.losses;
  }

  /** When the oldest line came into being that waits, on the monotonic clock. */
  get oldestBornAtMs(): number | undefined {
    return this.#lanes.oldestBornAtMs;
  }

  /** The next request goes out with these settings, without waiting for a backoff to end. No frame is lost. */
  update(settings: TargetSettings): void {
    this.#settings = settings;
    this.#limit.reset(settings.flush.maxLines);
    this.#failures = 0;
    this.#lanes.reset();
    this.#alarm.interrupt();
  }

  /**
   * Sends what has been appended so far without waiting for more. Resolves when the target has taken (or, line by line,
   * refused: see `state.rejectedLines`) all of it: true; or when the signal aborts or a cap dropped lines meanwhile: false.
   */
  async drain(signal: AbortSignal): Promise<boolean> {
    const goal = this.#lanes.newest;
    const dropped = this.#lanes.droppedLines;
    this.#drains++;
    this.#lanes.retryNow();
    this.#alarm.interrupt();
    await this.#progress.until(() => !this.#lanes.lacks(goal) || this.#stopped(), signal);
    this.#drains--;
    return !this.#lanes.lacks(goal) && this.#lanes.droppedLines === dropped;
  }

  /** Ends the loop; a request in flight is cut off and its frames stay in the spool. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#alarm.interrupt();
    await this.#finished;
    this.#connection.close();
    this.#progress.notify();
  }

  async #run(): Promise<void> {
    while (!this.#stopped()) {
      this.#progress.notify();
      let waitMs = 0;
      try {
        const lane = await this.#turn();
        if (lane !== undefined) waitMs = await this.#round(lane);
      } catch (thrown) {
        // Nothing is known that throws here; but a target must never fall silent because of it.
        const detail = `internal fault: ${messageOf(thrown)}`;
        waitMs = this.#failed({ kind: "retry", reason: "TargetUnreachable", detail });
      }
      if (!this.#stopped()) await this.#alarm.sleep(waitMs);
    }
  }

  /** Waits for a lane that is due; undefined when the sender stops. */
  async #turn(): Promise<Lane | undefined> {
    const nowMs = this.#options.clock.monotonic();
    const { intervalMs } = this.#settings.flush;
    const next = this.#lanes.next({ nowMs, intervalMs, fullLines: this.#limit.lines, hurry: this.#drains > 0 });
    if (next?.inMs === 0) return next.lane;
    const waiting = new AbortController();
    void this.#lanes.filled(waiting.signal).then(() => {
      if (!waiting.signal.aborted) this.#alarm.interrupt();
    });
    await this.#alarm.sleep(next?.inMs ?? Infinity);
    waiting.abort();
    // Much may have changed: look again.
    return undefined;
  }

  /** One request of a lane, and what follows; returns how long to wait before the next of any. */
  async #round(lane: Lane): Promise<number> {
    const { clock } = this.#options;
    if (lane.search !== undefined) return this.#continueSearch(lane, lane.search);
    const limits = { maxLines: this.#limit.lines, maxRawBytes: this.#settings.flush.maxBytes };
    const frames = await lane.read(limits);
    if (frames.length === 0) {
      // Too old by now, all of them.
      if (lane.backlog.frames > 0) lane.retryAtMs = clock.monotonic() + UNREADABLE_MS;
      return 0;
    }
    const lines = linesOf(frames);
    // A frame comes whole, even if it is larger than what the target takes.
    if (lines > limits.maxLines || rawBytesOf(frames) > limits.maxRawBytes)
      return this.#beginSearch(lane, frames, limits.maxLines);
    const begun = clock.monotonic();
    lane.lastSentMs = begun;
    // A frame that cannot be joined with the others is damaged: the search tells which, and sends the others.
    const body = await this.#bodies.of(frames).catch(() => undefined);
    if (body === undefined) return this.#beginSearch(lane, frames, limits.maxLines);
    if (this.#stopped()) return 0;
    const outcome = await this.#send(body, lines);
    if (this.#stopped()) return 0;
    switch (outcome.kind) {
      case "delivered":
        return this.#taken(lane, frames, clock.monotonic() - begun, []);
      case "partial":
        return this.#taken(lane, frames, clock.monotonic() - begun, rejectionsOf(outcome.rejectedLines, outcome));
      case "tooLarge":
        return frames.length > 1 ? 0 : this.#beginSearch(lane, frames, this.#limit.lines);
      case "refused":
        return this.#beginSearch(lane, frames, Math.ceil(lines / 2));
      default:
        return this.#setBack(lane, frames, outcome);
    }
  }

  async #beginSearch(lane: Lane, frames: readonly Frame[], maxLines: number): Promise<number> {
    await lane.startSearch(frames, { maxLines, maxBytes: this.#settings.flush.maxBytes }, this.#random);
    return 0;
  }

  async #continueSearch(lane: Lane, search: BadLineSearch): Promise<number> {
    const begun = this.#options.clock.monotonic();
    lane.lastSentMs = begun;
    const setback = await search.step((body, lines) => this.#send(body, lines));
    search.durationMs += this.#options.clock.monotonic() - begun;
    // With new settings everything is tried anew.
    if (this.#stopped() || lane.search !== search) return 0;
    if (setback !== undefined) return this.#setBack(lane, search.frames, setback);
    this.#part(lane, search.frames);
    if (!search.done) return 0;
    lane.search = undefined;
    return this.#taken(lane, search.frames, search.durationMs, search.rejections);
  }

  async #send(body: Uint8Array, lines: number): Promise<Outcome> {
    this.#record.request(body.length);
    const outcome = await this.#connection.send(this.#settings, { body, lines }, this.#stop.signal);
    if (outcome.kind === "tooLarge") this.#limit.shrinkBelow(lines);
    if (outcome.kind === "delivered") this.#limit.grow();
    if (isNotDelivered(outcome) || this.#stopped()) return outcome;
    this.#failures = 0;
    if (outcome.kind === "delivered" || outcome.kind === "partial") {
      this.#passes++;
      this.#record.answered();
      this.#lanes.targetAccepts();
    }
    return outcome;
  }

  async #taken(lane: Lane, frames: readonly Frame[], tookMs: number, refusals: readonly Rejection[]): Promise<number> {
    const { clock, rejectedLines } = this.#options;
    // A kill must not find them neither in the spool nor on record.
    if (refusals.length > 0) await rejectedLines?.write(this.#settings.name, refusals);
    const last = frames.at(-1);
    if (last !== undefined) lane.acknowledge(last.sequence);
    lane.clearSuspicion();
    this.#record.answered();
    const rejected = countLines(refusals);
    const stored = linesOf(frames) - rejected;
    if (stored > 0) this.#record.taken(stored, tookMs);
    if (rejected > 0) this.#record.rejected(rejected, exampleOf(refusals));
    const paceMs = lane.pace.durationMs(frames, this.#settings.maxDrainLinesPerSecond) - tookMs;
    if (lane.fills(this.#limit.lines) || !this.#lanes.isPresent(lane))
      this.#lanes.pace(lane, clock.monotonic() + paceMs);
    this.#part(lane, frames);
    return 0;
  }

  /** When the target takes lines of the past, those of the present shall not wait for them. */
  #part(lane: Lane, [first]: readonly Frame[]): void {
    const sinceMs = this.#options.clock.now() - PAST_MS;
    // What goes ahead is that old from the beginning.
    const isOld = first !== undefined && first.createdAtMs < sinceMs && lane.sinceMs < sinceMs - PAST_MS;
    if (isOld && this.#lanes.isPresent(lane) && lane.fills(this.#limit.lines)) this.#lanes.startNewLane(sinceMs);
  }

  /** What may be about the lines holds up their lane only. Returns how long to wait before the next request of any. */
  async #setBack(lane: Lane, frames: readonly Frame[], setback: NotDelivered): Promise<number> {
    if (setback.maybePoison !== true) {
      lane.clearSuspicion();
      return this.#failed(setback);
    }
    const nowMs = this.#options.clock.monotonic();
    const { sinceMs, attempts, passes } = lane.suspectBatch(frames, setback.kind, { sinceMs: nowMs, passes: this.#passes });
    // When the target takes others meanwhile, it is not the target that fails.
    if (passes === this.#passes) this.#record.failed(setback.reason, setback.detail);
    lane.retryAtMs = nowMs + retryPauseMs(attempts, this.#drains > 0, this.#random);
    if (setback.kind === "retry" && nowMs - sinceMs >= POISON_MS) {
      if (lane.search === undefined) await this.#beginSearch(lane, frames, linesOf(frames));
      lane.search?.treat500AsBadLines();
    }
    return 0;
  }

  #failed(setback: NotDelivered): number {
    if (this.#stopped()) return 0;
    this.#record.failed(setback.reason, setback.detail);
    const waitMs = retryPauseMs(this.#failures++, this.#drains > 0, this.#random);
    return Math.max(waitMs, (setback.afterMs ?? 0) * (1 + RETRY_AFTER_JITTER * this.#random()));
  }

  #stopped(): boolean {
    return this.#stop.signal.aborted;
  }
}
