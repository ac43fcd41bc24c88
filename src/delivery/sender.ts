import type { EffectiveTarget } from "../config/resolve.ts";
import { messageOf } from "../errors.ts";
import { isAborted } from "../lib/abort.ts";
import { InterruptibleSleep } from "../lib/interruptible-sleep.ts";
import { Notifier } from "../lib/notifier.ts";
import { Waker } from "../lib/waker.ts";
import { within } from "../lib/within.ts";
import type { Losses } from "../spool/losses.ts";
import type { SpoolCursor } from "../spool/spool.ts";
import { LaneSender, type SenderOptions } from "./lane-sender.ts";
import type { Lane } from "./lane.ts";
import type { Lanes } from "./lanes.ts";
import type { SenderState } from "./sender-stats.ts";

/** How long `stop` waits for the end of the loop. A request ends at once; a read does not end on a disk that hangs. */
const STOP_TIMEOUT_MS = 1_000;

/**
 * Delivers the frames of one target, one request at a time, until it is stopped. The frames of a lane are sent in order, and
 * new lines are sent before the backlog of an outage.
 */
export class Sender {
  readonly #lanes: Lanes;
  readonly #options: SenderOptions;
  readonly #stop = new AbortController();
  readonly #sleep: InterruptibleSleep;
  readonly #laneSender: LaneSender;
  readonly #finished: Promise<void>;
  #drains = 0;
  /** Notified when frames may have been delivered or dropped. */
  readonly #progress = new Notifier();

  constructor(target: EffectiveTarget, lanes: Lanes, options: SenderOptions) {
    this.#lanes = lanes;
    this.#options = options;
    this.#sleep = new InterruptibleSleep(options.clock);
    this.#laneSender = new LaneSender(target, lanes, { ...options, signal: this.#stop.signal });
    this.#finished = this.#run();
  }

  get name(): string {
    return this.settings.name;
  }

  get settings(): EffectiveTarget {
    return this.#laneSender.target;
  }

  /** The cursor of the spool to which new lines for this target are appended. */
  get appendCursor(): string {
    return this.#lanes.live.name;
  }

  get state(): SenderState {
    const { stats, batchLines } = this.#laneSender;
    return { ...stats, droppedLines: this.#lanes.droppedLines, batchLines };
  }

  get backlog(): SpoolCursor["backlog"] {
    return this.#lanes.backlog;
  }

  /** Lines that the spool dropped, by reason. */
  get losses(): Losses {
    return this.#lanes.losses;
  }

  /** Time of the oldest queued line on the monotonic clock, as in SpoolCursor. */
  get oldestMonotonicMs(): number | undefined {
    return this.#lanes.oldestMonotonicMs;
  }

  /** Uses these settings from the next request on, and ends a backoff. No frame is lost. */
  update(target: EffectiveTarget): void {
    this.#laneSender.update(target);
    this.#lanes.reset();
    this.#sleep.interrupt();
  }

  /**
   * Sends all frames appended so far, without waiting for more. Resolves to true if each line is delivered or rejected, and
   * to false if the signal aborts or a cap dropped lines meanwhile.
   */
  async drain(signal: AbortSignal): Promise<boolean> {
    const goal = this.#lanes.newest;
    const dropped = this.#lanes.droppedLines;
    // Without its Secret the target cannot take a line, however long this waits.
    if (this.settings.credentials.kind === "missing") return !this.#lanes.hasUpTo(goal);
    this.#laneSender.draining = ++this.#drains > 0;
    this.#lanes.retryNow();
    this.#sleep.interrupt();
    await this.#progress.until(() => !this.#lanes.hasUpTo(goal) || isAborted(this.#stop.signal), signal);
    this.#laneSender.draining = --this.#drains > 0;
    return !this.#lanes.hasUpTo(goal) && this.#lanes.droppedLines === dropped;
  }

  /** Ends the loop. A request in flight is aborted, and its frames stay in the spool. What a disk that hangs returns later is ignored. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#sleep.interrupt();
    await within(this.#finished, STOP_TIMEOUT_MS, this.#options.clock);
    this.#laneSender.close();
    this.#progress.notify();
  }

  async #run(): Promise<void> {
    while (!isAborted(this.#stop.signal)) {
      this.#progress.notify();
      let waitMs = 0;
      try {
        const lane = await this.#waitForLane();
        if (lane !== undefined) waitMs = await this.#laneSender.sendOnce(lane);
      } catch (thrown) {
        // Nothing is known to throw here. An exception is reported, so that it does not end delivery silently.
        const detail = `internal fault: ${messageOf(thrown)}`;
        waitMs = this.#laneSender.backOff({ kind: "retry", reason: "TargetUnreachable", detail });
      }
      if (!isAborted(this.#stop.signal)) await this.#sleep.sleep(waitMs);
    }
  }

  /** Returns a lane that is due; otherwise waits until that may have changed, and returns undefined. */
  async #waitForLane(): Promise<Lane | undefined> {
    const nowMs = this.#options.clock.monotonic();
    const { intervalMs } = this.settings.flush;
    const fullLines = this.#laneSender.batchLines;
    const next = this.#lanes.next({ nowMs, intervalMs, fullLines, draining: this.#drains > 0 });
    if (next?.inMs === 0) return next.lane;
    const waiting = new Waker();
    void this.#lanes.filled(waiting).then(() => {
      if (!waiting.aborted) this.#sleep.interrupt();
    });
    await this.#sleep.sleep(next?.inMs ?? Infinity);
    waiting.wake();
    return undefined;
  }
}
