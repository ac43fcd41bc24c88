import type { Clock } from "../lib/clock.ts";
import type { FailureReason } from "./outcome.ts";

/** Receives the events of a sender. Texts contain no credentials. */
export interface SenderObserver {
  delivered(target: string, lines: number, durationMs: number): void;
  /** Delivery started to fail, or fails for another reason than before. The lines stay queued. */
  failing(target: string, reason: FailureReason, detail: string): void;
  recovered(target: string): void;
  /** Lines are sent in another way from now on. */
  notice(target: string, text: string): void;
  /** The target rejected lines for good. */
  rejected(target: string, lines: number, example: string): void;
}

export interface SenderState {
  /** Delivering: the target accepts or rejects lines. Failing: it does neither. Idle: not known yet. */
  readonly state: "Idle" | "Delivering" | "Failing";
  /** Milliseconds since the epoch at which the state began. */
  readonly sinceMs: number;
  /** Reason and detail of a failing target. */
  readonly reason: FailureReason | undefined;
  readonly detail: string | undefined;
  readonly deliveredLines: number;
  readonly rejectedLines: number;
  /** Lines that were dropped from the spool. */
  readonly droppedLines: number;
  readonly requests: number;
  readonly sentBytes: number;
  /** Failures since the target last accepted or rejected lines. */
  readonly consecutiveFailures: number;
  /** Milliseconds since the epoch; undefined before the first success. */
  readonly lastSuccessMs: number | undefined;
  /** Number of lines that a request may hold now. */
  readonly batchLines: number;
}

/** The part of the state that results from requests. */
export type SentState = Omit<SenderState, "droppedLines" | "batchLines">;

/** Counts requests and their outcomes, and notifies the observer of changes. */
export class SenderStats {
  readonly #target: () => string;
  readonly #observer: SenderObserver;
  readonly #clock: Clock;
  #state: SentState;

  constructor(target: () => string, observer: SenderObserver, clock: Clock) {
    this.#target = target;
    this.#observer = observer;
    this.#clock = clock;
    this.#state = {
      state: "Idle",
      sinceMs: clock.now(),
      reason: undefined,
      detail: undefined,
      deliveredLines: 0,
      rejectedLines: 0,
      requests: 0,
      sentBytes: 0,
      consecutiveFailures: 0,
      lastSuccessMs: undefined,
    };
  }

  get state(): SentState {
    return this.#state;
  }

  /** Counts a request. */
  sent(bytes: number): void {
    this.#change({ requests: this.#state.requests + 1, sentBytes: this.#state.sentBytes + bytes });
  }

  /** Notes that the target accepted or rejected lines. */
  answered(): void {
    const { state } = this.#state;
    this.#change({ consecutiveFailures: 0 });
    if (state === "Delivering") return;
    this.#change({ state: "Delivering", sinceMs: this.#clock.now(), reason: undefined, detail: undefined });
    if (state === "Failing") this.#observer.recovered(this.#target());
  }

  delivered(lines: number, durationMs: number): void {
    this.#change({ deliveredLines: this.#state.deliveredLines + lines, lastSuccessMs: this.#clock.now() });
    this.#observer.delivered(this.#target(), lines, durationMs);
  }

  rejected(lines: number, example: string): void {
    this.#change({ rejectedLines: this.#state.rejectedLines + lines });
    this.#observer.rejected(this.#target(), lines, example);
  }

  failed(reason: FailureReason, detail: string): void {
    const before = this.#state;
    this.#change({ state: "Failing", reason, detail, consecutiveFailures: before.consecutiveFailures + 1 });
    if (before.state !== "Failing") this.#change({ sinceMs: this.#clock.now() });
    // The same failure may have another number, such as an identifier of the request.
    if (before.reason !== reason || withoutNumbers(before.detail) !== withoutNumbers(detail))
      this.#observer.failing(this.#target(), reason, detail);
  }

  #change(change: Partial<SentState>): void {
    this.#state = { ...this.#state, ...change };
  }
}

/** Returns a text without its long decimal and hexadecimal numbers. */
function withoutNumbers(text = ""): string {
  return text.replace(/\b(?=[a-f-]*\d)[0-9a-f-]{4,}\b/gi, "");
}
