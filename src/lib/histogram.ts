/** Counts values in buckets by size, in the form of a Prometheus histogram. */
export class Histogram {
  /** Upper bounds of the buckets, ascending. There is one more bucket, without a bound. */
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

  /** For each bound, the number of values up to it. */
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
