import { BurstLimit, type BurstOptions } from "../lib/burst-limit.ts";
import type { Clock } from "../lib/clock.ts";

export interface TurnOptions<Item> {
  readonly rate: BurstOptions;
  readonly start: (item: Item, client: string) => void;
  /** What a client uses now. Clients that use less go first. */
  readonly loadOf?: (client: string) => number;
  /** Whether an item of this client can start now. If not, no item of a client that uses as much or more can. */
  readonly canStart?: (client: string) => boolean;
}

/** How long a turn of a client counts, in milliseconds. */
const RECENT_MS = 1_000;
/** How many clients are remembered, and for how long after their last turn. */
const KNOWN = { clients: 256, ms: 600_000 };

interface KnownClient {
  readonly firstMs: number;
  lastMs: number;
}

/**
 * Starts items of clients at a bounded rate, after a burst; the others wait. The client that uses least goes first, then the one
 * with the fewest recent turns, then the one that is known for longest. So a client that asks rarely, such as the kubelet, does not
 * wait for one that asks all the time, nor for many that are new. Of those that use least, every second turn goes to the one that
 * waits longest, so a new client does not wait without end for many that are known.
 */
export class Turns<Item> {
  readonly #options: TurnOptions<Item>;
  readonly #limit: BurstLimit;
  readonly #clock: Clock;
  /** Client -> its items that wait, the oldest first. The client that waits longest since its last turn is the first. */
  readonly #waiting = new Map<string, Set<Item>>();
  #size = 0;
  /** Client -> number of its recent turns. */
  readonly #recent = new Map<string, number>();
  #recentSinceMs: number;
  readonly #known = new Map<string, KnownClient>();
  #isStarting = false;
  /** Whether the next turn goes to the client that waits longest. */
  #isForLongest = false;

  constructor(options: TurnOptions<Item>, clock: Clock) {
    this.#options = options;
    this.#limit = new BurstLimit(options.rate, clock);
    this.#clock = clock;
    this.#recentSinceMs = clock.monotonic();
  }

  /** Number of items that wait. */
  get size(): number {
    return this.#size;
  }

  /** Client -> its items that wait, the oldest first. Each client has at least one. */
  get waiting(): ReadonlyMap<string, ReadonlySet<Item>> {
    return this.#waiting;
  }

  /** Returns whether the client had a turn in the last ten minutes. Of many clients, only the first ones are remembered. */
  isKnown(client: string): boolean {
    return this.#known.has(client);
  }

  /** Starts an item at the turn of its client, which may be now. */
  take(client: string, item: Item): void {
    const items = this.#waiting.get(client) ?? new Set();
    this.#waiting.set(client, items.add(item));
    this.#size++;
    this.#startAvailable();
    if (!this.#isStarting) void this.#startLater();
  }

  /** Forgets an item, if it waits. */
  giveUp(client: string, item: Item): void {
    const items = this.#waiting.get(client);
    if (items?.delete(item) !== true) return;
    this.#size--;
    if (items.size === 0) this.#waiting.delete(client);
  }

  async #startLater(): Promise<void> {
    this.#isStarting = true;
    try {
      while (this.#size > 0) {
        await this.#clock.sleep(this.#options.rate.periodMs);
        this.#startAvailable();
      }
    } finally {
      // An exception of one must not end the turns of all.
      this.#isStarting = false;
    }
  }

  #startAvailable(): void {
    const { start, canStart } = this.#options;
    while (this.#clock.monotonic() >= this.#limit.nextMs) {
      const next = this.#next();
      if (next === undefined) return;
      const [client, item] = next;
      if (canStart?.(client) === false) return;
      if (this.#waiting.size > 1) this.#isForLongest = !this.#isForLongest;
      this.giveUp(client, item);
      this.#moveToEnd(client);
      this.#limit.count();
      this.#count(client);
      start(item, client);
    }
  }

  #next(): readonly [client: string, item: Item] | undefined {
    this.#forgetTurns();
    let next: readonly [client: string, item: Item] | undefined;
    let least = [Infinity, Infinity, Infinity] as const;
    for (const [client, [item]] of this.#waiting) {
      const rank = [
        this.#options.loadOf?.(client) ?? 0,
        this.#isForLongest ? 0 : (this.#recent.get(client) ?? 0),
        this.#isForLongest ? 0 : (this.#known.get(client)?.firstMs ?? Number.MAX_VALUE),
      ] as const;
      if (item === undefined || !isBefore(rank, least)) continue;
      next = [client, item];
      least = rank;
    }
    return next;
  }

  #moveToEnd(client: string): void {
    const items = this.#waiting.get(client);
    if (items === undefined) return;
    this.#waiting.delete(client);
    this.#waiting.set(client, items);
  }

  #count(client: string): void {
    this.#recent.set(client, (this.#recent.get(client) ?? 0) + 1);
    const nowMs = this.#clock.monotonic();
    const known = this.#known.get(client);
    if (known !== undefined) known.lastMs = nowMs;
    else if (this.#known.size < KNOWN.clients) this.#known.set(client, { firstMs: nowMs, lastMs: nowMs });
  }

  #forgetTurns(): void {
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#recentSinceMs < RECENT_MS) return;
    this.#recent.clear();
    this.#recentSinceMs = nowMs;
    for (const [client, { lastMs }] of this.#known) if (nowMs - lastMs >= KNOWN.ms) this.#known.delete(client);
  }
}

function isBefore(rank: readonly number[], other: readonly number[]): boolean {
  const at = rank.findIndex((value, index) => value !== other[index]);
  return at >= 0 && (rank[at] ?? 0) < (other[at] ?? 0);
}
