/** Counts values by how large they are, as Prometheus wants it. */
export class Histogram {
  /** Upper bounds of the buckets, ascending; the last bucket has none. */
  readonly bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  get sum(): number {
    return this.#sum;
  }

  get count(): number {
    return this.#counts.reduce((total, count) => total + count, 0);
  }

  /** How many values were at most as large as each bound. */
  get cumulative(): readonly number[] {
    let total = 0;
    return this.bounds.map((_, index) => (total += this.#counts[index] ?? 0));
  }

  observe(value: number): void {
    const found = this.bounds.findIndex((bound) => value <= bound);
    const bucket = found < 0 ? this.bounds.length : found;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += value;
  }
}
