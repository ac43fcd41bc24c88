import type { Clock } from "../../lib/clock.ts";
import type { DomainIdentity } from "../domain-sample.ts";

const MINUTE_MS = 60_000;
/** Events of one VM in a minute. A VM that stops, migrates and starts again has about ten. */
const EVENTS_PER_MINUTE = 100;

/** Events of one VM that were not passed on in a minute. */
export interface LeftOutEvents {
  /** Of the domain. */
  readonly uuid: string;
  readonly identity: DomainIdentity;
  readonly count: number;
}

interface Minute {
  /** On the monotonic clock. */
  readonly endsMs: number;
  identity: DomainIdentity;
  events: number;
}

/** Limits the events of each VM in a minute, which begins with its first event. */
export class EventLimit {
  readonly #clock: Pick<Clock, "monotonic">;
  /** By the UUID of the domain. */
  readonly #minutes = new Map<string, Minute>();

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  /** Counts an event of a domain. Returns whether it may be passed on. Call `takeEnded` before. */
  admits(uuid: string, identity: DomainIdentity): boolean {
    let minute = this.#minutes.get(uuid);
    if (minute === undefined) {
      minute = { endsMs: this.#clock.monotonic() + MINUTE_MS, identity, events: 0 };
      this.#minutes.set(uuid, minute);
    }
    minute.identity = identity;
    return ++minute.events <= EVENTS_PER_MINUTE;
  }

  /** Returns what was left out in the minutes that are over, or in all, and forgets these minutes. */
  takeEnded(all = false): readonly LeftOutEvents[] {
    if (this.#minutes.size === 0) return [];
    const now = this.#clock.monotonic();
    const leftOut: LeftOutEvents[] = [];
    for (const [uuid, { endsMs, identity, events }] of this.#minutes) {
      if (!all && now < endsMs) continue;
      this.#minutes.delete(uuid);
      if (events > EVENTS_PER_MINUTE) leftOut.push({ uuid, identity, count: events - EVENTS_PER_MINUTE });
    }
    return leftOut;
  }
}
