/** Growing by an eighth, a server with a fixed limit refuses about one request in seven. */
const GROWTH = 1.125;

/** How many lines go into one request: halved when the server finds one too large, grown back by success. */
export class BatchLimit {
  #most: number;
  #lines: number;

  constructor(most: number) {
    this.#most = most;
    this.#lines = most;
  }

  get lines(): number {
    return Math.floor(this.#lines);
  }

  /** A request with this many lines was too large. */
  shrinkBelow(lines: number): void {
    this.#lines = Math.max(1, Math.min(this.#lines, lines / 2));
  }

  grow(): void {
    this.#lines = Math.min(this.#most, Math.max(this.#lines + 1, this.#lines * GROWTH));
  }

  reset(most: number): void {
    this.#most = most;
    this.#lines = most;
  }
}
