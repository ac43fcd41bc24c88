/**
 * Why lines left the spool without being taken: the byte cap; the age cap; a disk that is too full or takes no writes; a
 * frame that is damaged on disk.
 */
export type DropReason = "cap" | "age" | "disk" | "corrupt";

/** Lines by reason. */
export type Losses = Readonly<Record<DropReason, number>>;

export function sumOfLosses(a: Losses, b: Losses): Losses {
  return { cap: a.cap + b.cap, age: a.age + b.age, disk: a.disk + b.disk, corrupt: a.corrupt + b.corrupt };
}

export class LossCount {
  #losses: Losses = { cap: 0, age: 0, disk: 0, corrupt: 0 };

  get byReason(): Losses {
    return this.#losses;
  }

  get lines(): number {
    return Object.values(this.#losses).reduce((sum, lines) => sum + lines, 0);
  }

  add(reason: DropReason, lines: number): void {
    this.#losses = { ...this.#losses, [reason]: this.#losses[reason] + lines };
  }
}
