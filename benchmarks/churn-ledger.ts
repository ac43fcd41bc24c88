interface Life {
  /** When its daemon began to answer. */
  readonly bornMs: number;
  /** When its daemon stopped answering. */
  answeredMs: number;
  /** When it was removed. */
  goneMs: number;
  readonly points: number[];
}

interface LifeSettings {
  readonly intervalMs: number;
  /** Allowed delay of the first sample beyond an interval. */
  readonly findMs: number;
}

/** Numbers of faults in the arrived samples. */
export interface LedgerFaults {
  /** VMs without a sample that lived long enough for one. */
  readonly never: number;
  /** VMs whose first sample came too late. */
  readonly late: number;
  /** Cycles without a sample, between the first and the last sample of a VM. */
  readonly missed: number;
  /** VMs whose last sample was older than an interval at their end. */
  readonly early: number;
  /** Samples of removed VMs. */
  readonly afterEnd: number;
  /** Samples without the VM's label. */
  readonly nameless: number;
}

const NANOSECONDS = 1_000_000;
const LINE = /^vm_metrics,(\S+) .* (\d+)$/;
const LIFE = /(?:^|,)life=([^,]+)/;
/** Tolerance, because the clocks of a cycle and of a launcher are not read at the same moment. */
const SLACK_MS = 500;
/** A target's flush interval, with some tolerance. */
const DELIVERY_MS = 3_000;

/** Tracks every VM from its first sample to its last, by a label that is unique to it. */
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

  /** Records that the VM's daemon no longer answers. */
  silent(life: string): void {
    const found = this.#lives.get(life);
    if (found !== undefined) found.answeredMs = Math.min(found.answeredMs, Date.now());
  }

  gone(life: string): void {
    this.silent(life);
    const found = this.#lives.get(life);
    if (found !== undefined) found.goneMs = Date.now();
  }

  /** Records delivered lines. */
  take(text: string): void {
    for (const line of text.split("\n")) {
      const [, tags = "", time] = LINE.exec(line) ?? [];
      if (time === undefined) continue;
      const life = this.#lives.get(LIFE.exec(tags)?.[1] ?? "");
      if (life === undefined) this.#nameless++;
      else life.points.push(Math.round(Number(time) / NANOSECONDS));
    }
  }

  /** Returns the faults so far; the newest samples are still on the way. */
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
