interface Life {
  /** Since when its daemon answers. */
  readonly bornMs: number;
  /** Until when it answered. */
  answeredMs: number;
  /** When it was gone for good. */
  goneMs: number;
  readonly points: number[];
}

interface LifeSettings {
  readonly intervalMs: number;
  /** How late the first sample may be: an interval and this. */
  readonly findMs: number;
}

/** What was wrong with what arrived, counted. */
export interface LedgerFaults {
  /** VMs without any sample although they lived long enough for one. */
  readonly never: number;
  /** VMs whose first sample came later than it may. */
  readonly late: number;
  /** Cycles without a sample, between the first and the last sample of a VM. */
  readonly missed: number;
  /** VMs whose last sample is older than an interval at their end. */
  readonly early: number;
  /** Samples of VMs that were gone. */
  readonly afterEnd: number;
  /** Samples without the label of a VM. */
  readonly nameless: number;
}

const NANOSECONDS = 1_000_000;
const LINE = /^vm_metrics,(\S+) .* (\d+)$/;
const LIFE = /(?:^|,)life=([^,]+)/;
/** The clocks of a cycle and of a launcher are read one after the other. */
const SLACK_MS = 500;
/** A target's flush interval, and some. */
const DELIVERY_MS = 3_000;

/** Follows every VM from its first sample to its last, by a label that no other VM ever has. */
export class ChurnLedger {
  readonly #settings: LifeSettings;
  readonly #lives = new Map<string, Life>();
  #nameless = 0;

  constructor(settings: LifeSettings) {
    this.#settings = settings;
  }

  get seen(): number {
    return this.#lives.size;
  }

  born(life: string): void {
    const never = Number.POSITIVE_INFINITY;
    this.#lives.set(life, { bornMs: Date.now(), answeredMs: never, goneMs: never, points: [] });
  }

  /** It does not answer any more. */
  silent(life: string): void {
    const found = this.#lives.get(life);
    if (found !== undefined) found.answeredMs = Math.min(found.answeredMs, Date.now());
  }

  gone(life: string): void {
    this.silent(life);
    const found = this.#lives.get(life);
    if (found !== undefined) found.goneMs = Date.now();
  }

  /** Takes lines as they were delivered. */
  take(text: string): void {
    for (const line of text.split("\n")) {
      const [, tags = "", time] = LINE.exec(line) ?? [];
      if (time === undefined) continue;
      const life = this.#lives.get(LIFE.exec(tags)?.[1] ?? "");
      if (life === undefined) this.#nameless++;
      else life.points.push(Math.round(Number(time) / NANOSECONDS));
    }
  }

  /** Of what was delivered so far; the newest samples are still on their way. */
  faults(): LedgerFaults {
    const { intervalMs, findMs } = this.#settings;
    const deliveredMs = Date.now() - DELIVERY_MS;
    const faults = { never: 0, late: 0, missed: 0, early: 0, afterEnd: 0, nameless: this.#nameless };
    for (const { bornMs, answeredMs, goneMs, points } of this.#lives.values()) {
      const due = bornMs + intervalMs + findMs + SLACK_MS;
      const until = Math.min(answeredMs, deliveredMs);
      const [first, last] = [points[0], points.at(-1)];
      if (first === undefined || last === undefined) {
        if (until > due) faults.never++;
        continue;
      }
      if (first > due) faults.late++;
      for (const [index, time] of points.slice(1).entries())
        faults.missed += Math.max(0, Math.round((time - (points[index] ?? time)) / intervalMs) - 1);
      if (last + intervalMs + SLACK_MS < until) faults.early++;
      faults.afterEnd += points.filter((time) => time > goneMs + SLACK_MS).length;
    }
    return faults;
  }
}
