import type { EffectiveTarget } from "../config/resolve.ts";
import { isAborted } from "../lib/abort.ts";
import { BurstLimit } from "../lib/burst-limit.ts";
import type { Frame } from "../spool/spool.ts";
import type { BadLineSearch } from "./bad-line-search.ts";
import { BatchLimit } from "./batch-limit.ts";
import { linesOf, rawBytesOf, type Lane } from "./lane.ts";
import type { Lanes } from "./lanes.ts";
import { isNotDelivered, type NotDelivered, type Outcome } from "./outcome.ts";
import type { LineRequest, Protocol } from "./protocol.ts";
import { configuredProtocol } from "./protocols.ts";
import type { RejectedSink } from "./rejected-lines.ts";
import { countLines, exampleOf, type Rejection } from "./rejection.ts";
import { RequestBodyCache } from "./request-body-cache.ts";
import { RetryPolicy } from "./retry-policy.ts";
import { SenderStats, type SenderObserver, type SentState } from "./sender-stats.ts";
import { TargetConnection, type ConnectionOptions } from "./target-connection.ts";

/** A batch that got only server errors for this long may be their cause. */
const POISON_MS = 300_000;
/** Older lines are a backlog, if they fill a request. */
const BACKLOG_AGE_MS = 10_000;
/**
 * Requests with which all lanes of a target search for bad lines: 100 at once, then 120 a minute. One bad line among 5,000 takes
 * 27 requests, a batch of only bad lines 66. Without a limit, a target that rejects requests again and again would make the agent
 * compress and send as fast as it answers.
 */
const SEARCH_PACE = { burst: 100, periodMs: 500 };
/** Delay before the next read of a lane with unreadable frames. */
const UNREADABLE_MS = 1_000;
/** How often the lines of a batch are on record if the server is at a limit. Of other batches the record has only the number of lines. */
const LIMIT_RECORDS = { burst: 1, periodMs: 300_000 };

export interface SenderOptions extends ConnectionOptions {
  readonly observer: SenderObserver;
  readonly random?: () => number;
  /** Shared by senders of the same spool. */
  readonly bodyCache?: RequestBodyCache;
  /** Receives the lines that the target rejects for good. */
  readonly rejectedLines?: RejectedSink | undefined;
}

interface Owned {
  /** Aborts when the sender stops. */
  readonly signal: AbortSignal;
}

/** Sends the next request of a lane, and does what its outcome requires. */
export class LaneSender {
  readonly #lanes: Lanes;
  readonly #options: SenderOptions & Owned;
  readonly #random: () => number;
  readonly #limit: BatchLimit;
  readonly #retry: RetryPolicy;
  readonly #searchPace: BurstLimit;
  readonly #limitRecords: BurstLimit;
  readonly #stats: SenderStats;
  readonly #connection: TargetConnection;
  readonly #bodyCache: RequestBodyCache;
  #target: EffectiveTarget;
  /** Number of requests of which the target stored lines. */
  #acceptedRequests = 0;

  constructor(target: EffectiveTarget, lanes: Lanes, options: SenderOptions & Owned) {
    this.#target = target;
    this.#lanes = lanes;
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#limit = new BatchLimit(target.flush.maxLines);
    this.#retry = new RetryPolicy(this.#random);
    this.#searchPace = new BurstLimit(SEARCH_PACE, options.clock);
    this.#limitRecords = new BurstLimit(LIMIT_RECORDS, options.clock);
    this.#stats = new SenderStats(() => this.#target.name, options.observer, options.clock);
    const notice = (text: string): void => {
      options.observer.notice(this.#target.name, text);
    };
    this.#connection = new TargetConnection({ ...options, notice });
    this.#bodyCache = options.bodyCache ?? new RequestBodyCache();
    this.#reportMissing();
  }

  get target(): EffectiveTarget {
    return this.#target;
  }

  get stats(): SentState {
    return this.#stats.state;
  }

  /** Number of lines that a request may hold now. */
  get batchLines(): number {
    return this.#limit.lines;
  }

  /** Shortens the retry delays while a drain runs. */
  set draining(draining: boolean) {
    this.#retry.draining = draining;
  }

  /** Uses these settings from the next request on. */
  update(target: EffectiveTarget): void {
    this.#target = target;
    this.#limit.reset(target.flush.maxLines);
    this.#retry.reset();
    this.#reportMissing();
  }

  close(): void {
    this.#connection.close();
  }

  /** Sends one request of a lane. Resolves to the delay before the next request of any lane, in milliseconds. */
  async sendOnce(lane: Lane): Promise<number> {
    const { clock } = this.#options;
    const target = this.#target;
    if (target.credentials.kind === "missing") return Infinity;
    if (lane.search !== undefined) return this.#continueSearch(lane, lane.search);
    const limits = { maxLines: this.#limit.lines, maxRawBytes: this.#target.flush.maxBytes };
    const frames = await lane.read(limits);
    if (frames.length === 0) {
      // The frames are older than the spool's maximum age now, or cannot be read.
      if (lane.backlog.frames > 0) lane.retryAtMs = clock.monotonic() + UNREADABLE_MS;
      return 0;
    }
    const lines = linesOf(frames);
    // The spool returns whole frames, so a single frame may be larger than the limits.
    if (lines > limits.maxLines || rawBytesOf(frames) > limits.maxRawBytes)
      return this.#startSearch(lane, frames, limits.maxLines);
    const startedMs = clock.monotonic();
    lane.lastSentMs = startedMs;
    // If a frame is damaged there is no body. The search finds the frame and sends the others.
    const body = await this.#bodyCache.bodyOf(frames, this.#protocol).catch(() => undefined);
    if (body === undefined) return this.#startSearch(lane, frames, limits.maxLines);
    if (isAborted(this.#options.signal)) return 0;
    const outcome = await this.#send({ body, lines });
    if (isAborted(this.#options.signal)) return 0;
    const tookMs = clock.monotonic() - startedMs;
    switch (outcome.kind) {
      case "delivered":
        return this.#delivered(lane, frames, { tookMs, rejections: [] });
      case "partial":
      case "rejected":
        return this.#searchAfter(lane, frames, { outcome, target, tookMs });
      case "tooLarge":
        return frames.length > 1 ? 0 : this.#startSearch(lane, frames, this.#limit.lines);
      default:
        return this.#postpone(lane, frames, outcome);
    }
  }

  /** Counts a failure of the target. Returns the delay before the next request, in milliseconds. */
  backOff({ reason, detail, afterMs }: NotDelivered): number {
    if (isAborted(this.#options.signal)) return 0;
    this.#stats.failed(reason, detail);
    return this.#retry.failed(afterMs);
  }

  /** A target without its Secret fails from the start, not from its first line. */
  #reportMissing(): void {
    const { credentials, fault } = this.#target;
    if (credentials.kind === "missing" && fault !== undefined) this.#stats.failed(fault.reason, fault.message);
  }

  get #protocol(): Protocol {
    const { protocolOf = configuredProtocol } = this.#options;
    return protocolOf(this.#target);
  }

  async #startSearch(lane: Lane, frames: readonly Frame[], maxLines: number): Promise<number> {
    // The read of these frames may have ended after the sender did, and its cursor may have a new one.
    if (isAborted(this.#options.signal)) return 0;
    const { maxBytes } = this.#target.flush;
    await lane.startSearch(frames, { maxLines, maxBytes, protocol: this.#protocol, random: this.#random });
    return 0;
  }

  /** Starts a search with the outcome of a request that held all these frames. It may be done with that. */
  async #searchAfter(
    lane: Lane,
    frames: readonly Frame[],
    {
      outcome,
      target,
      tookMs,
    }: { readonly outcome: Outcome; readonly target: EffectiveTarget; readonly tookMs: number },
  ): Promise<number> {
    await this.#startSearch(lane, frames, this.#limit.lines);
    const { search } = lane;
    // New settings: the answer is from the old target.
    if (isAborted(this.#options.signal) || this.#target !== target || search === undefined) return 0;
    search.durationMs = tookMs;
    // The good lines are stored. To find out which lines are bad must not delay the following lines without a bound.
    const maySplit = outcome.kind === "rejected" || this.#searchPace.nextMs <= this.#options.clock.monotonic();
    search.answered(outcome, maySplit);
    return search.done ? this.#finishSearch(lane, search) : 0;
  }

  async #continueSearch(lane: Lane, search: BadLineSearch): Promise<number> {
    const { clock } = this.#options;
    const startedMs = clock.monotonic();
    lane.lastSentMs = startedMs;
    const notDelivered = await search.step((request) => this.#send(request));
    search.durationMs += clock.monotonic() - startedMs;
    lane.retryAtMs = this.#searchPace.nextMs;
    // New settings have reset the lane: the answer is from the old target.
    if (isAborted(this.#options.signal) || lane.search !== search) return 0;
    if (notDelivered !== undefined) return this.#postpone(lane, search.frames, notDelivered);
    this.#separateBacklog(lane, search.frames);
    return search.done ? this.#finishSearch(lane, search) : 0;
  }

  async #finishSearch(lane: Lane, { frames, durationMs, rejections }: BadLineSearch): Promise<number> {
    lane.search = undefined;
    return this.#delivered(lane, frames, { tookMs: durationMs, rejections });
  }

  async #send(request: LineRequest): Promise<Outcome> {
    const { body, lines } = request;
    this.#stats.sent(body.length);
    const outcome = await this.#connection.send(this.#target, request, this.#options.signal);
    if (outcome.kind === "tooLarge") this.#limit.shrinkBelow(lines);
    // An accepted request counts only if the target rejects larger ones. Otherwise it is part of a frame that is too large for one.
    if (outcome.kind !== "delivered" || this.batchLines < this.#target.flush.maxLines) this.#searchPace.count();
    if (outcome.kind === "delivered") this.#limit.grow();
    if (isNotDelivered(outcome) || isAborted(this.#options.signal)) return outcome;
    this.#retry.reset();
    if (outcome.kind === "delivered" || outcome.kind === "partial") {
      this.#acceptedRequests++;
      this.#stats.answered();
      this.#lanes.targetAccepts();
    }
    return outcome;
  }

  /** Acknowledges frames of which each line is stored or rejected, and sets the pace. */
  async #delivered(
    lane: Lane,
    frames: readonly Frame[],
    { tookMs, rejections }: { readonly tookMs: number; readonly rejections: readonly Rejection[] },
  ): Promise<number> {
    const { clock } = this.#options;
    // Written before the lines leave the spool: a kill must not lose both.
    if (rejections.length > 0) await this.#record(rejections);
    const last = frames.at(-1);
    if (last !== undefined) lane.acknowledge(last.sequence);
    lane.clearSuspicion();
    this.#stats.answered();
    const rejected = countLines(rejections);
    const stored = linesOf(frames) - rejected;
    if (stored > 0) this.#stats.delivered(stored, tookMs);
    if (rejected > 0) this.#stats.rejected(rejected, exampleOf(rejections));
    const paceMs = lane.pace.durationMs(frames, this.#target.maxDrainLinesPerSecond) - tookMs;
    if (lane.fills(this.#limit.lines) || !this.#lanes.hasNewLines(lane))
      this.#lanes.pace(lane, clock.monotonic() + paceMs);
    this.#separateBacklog(lane, frames);
    return 0;
  }

  /** At a limit each batch has such lines, some of them stored. All of them would fill the files, which all targets share. */
  async #record(rejections: readonly Rejection[]): Promise<void> {
    const isRecorded = rejections.some(({ isAtLimit }) => isAtLimit) && this.#limitRecords.allows();
    const recorded = rejections.map((rejection) => {
      const { lines, reason, isAtLimit } = rejection;
      return isAtLimit === true && !isRecorded ? { lines, reason } : rejection;
    });
    await this.#options.rejectedLines?.write(this.#target.name, recorded);
  }

  /** If the target accepts old lines and more of them are queued, new lines get a lane of their own. */
  #separateBacklog(lane: Lane, [first]: readonly Frame[]): void {
    const sinceMs = this.#options.clock.now() - BACKLOG_AGE_MS;
    // The first frames of a newest-first lane have that age, and are not a backlog.
    const isOld = first !== undefined && first.createdAtMs < sinceMs && lane.sinceMs < sinceMs - BACKLOG_AGE_MS;
    if (isOld && this.#lanes.hasNewLines(lane) && lane.fills(this.#limit.lines)) this.#lanes.startNewLane(sinceMs);
  }

  /** If the lines may be the cause, delays only their lane; otherwise returns the delay for all lanes. */
  async #postpone(lane: Lane, frames: readonly Frame[], outcome: NotDelivered): Promise<number> {
    if (outcome.maybePoison !== true) {
      lane.clearSuspicion();
      return this.backOff(outcome);
    }
    const nowMs = this.#options.clock.monotonic();
    const now = { sinceMs: nowMs, acceptedRequests: this.#acceptedRequests };
    const { sinceMs, attempts, acceptedRequests } = lane.suspectBatch(frames, outcome.kind, now);
    // If the target has accepted other lines since then, it works, and only these lines are not accepted.
    if (acceptedRequests === this.#acceptedRequests) this.#stats.failed(outcome.reason, outcome.detail);
    lane.retryAtMs = nowMs + this.#retry.delayMs(attempts);
    if (outcome.kind === "retry" && nowMs - sinceMs >= POISON_MS) {
      if (lane.search === undefined) await this.#startSearch(lane, frames, linesOf(frames));
      lane.search?.treat500AsBadLines();
    }
    return 0;
  }
}
