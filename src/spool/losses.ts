/** Why a spool dropped lines: the byte cap, the age cap, a full or failing disk, or a frame that is damaged on disk. */
export type DropReason = "cap" | "age" | "disk" | "corrupt";

/** Dropped lines by reason. */
export type Losses = Readonly<Record<DropReason, number>>;

export function sumOfLosses(a: Losses, b: Losses): Losses {
  return { cap: a.cap + b.cap, age: a.age + b.age, disk: a.disk + b.disk, corrupt: a.corrupt + b.corrupt };
}

/** Counts dropped lines. */
export class LossCount {
  #losses: Losses = { cap: 0, age: 0, disk: 0, corrupt: 0 };

  get byReason(): Losses {
    return this.#losses;
  }

  /** All dropped lines. */
  get lines(): number {
    return Object.values(this.#losses).reduce((sum, lines) => sum + lines, 0);
  }

  add(reason: DropReason, lines: number): void {
    this.#losses = { ...this.#losses, [reason]: this.#losses[reason] + lines };
  }
}
