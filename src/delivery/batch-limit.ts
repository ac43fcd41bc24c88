/** With growth by an eighth, a server with a fixed limit rejects about one request in seven. */
const GROWTH = 1.125;

/** The number of lines per request: halved when a request is too large, grown again by success. */
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

  /** Shrinks the limit after a request with this many lines was too large. */
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
