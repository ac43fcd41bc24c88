import type { Socket } from "node:net";
import type { BurstOptions } from "../lib/burst-limit.ts";
import type { Clock } from "../lib/clock.ts";
import { clientOf } from "./client-address.ts";
import { Turns } from "./turns.ts";

export interface SlotLimits {
  /** Connections that are served at the same time. */
  readonly slots: number;
  /** A connection that others wait for is served for at least this time, in milliseconds. */
  readonly minimumMs: number;
  /** Connections that may wait. Above it, a new one is closed. */
  readonly waiting: number;
  /** How often a new connection is served, if clients close theirs and open others. */
  readonly rate: BurstOptions;
}

interface Served {
  readonly client: string;
  readonly sinceMs: number;
}

/** Connections that wait take a few KiB each, and a file descriptor. */
const WAITING = { least: 16, most: 1_024, shareOfFiles: 1 / 16 };

/** Returns how many connections may wait in a process that may have this many files open. */
export function maxWaiting(files: number): number {
  return Math.min(WAITING.most, Math.max(WAITING.least, Math.floor(files * WAITING.shareOfFiles)));
}

/** Time between two looks at connections that were served for long enough, in milliseconds. */
const TURN_MS = 250;

/**
 * Serves a bounded number of connections. Above it, a connection of a client with fewer than others replaces one of the client
 * with most, at once: a flood from one address does not keep the kubelet out. Other connections wait, unread, so that a flood
 * costs little: a client that opens a connection again as soon as it is closed gets a slot only after `minimumMs`.
 */
export class ConnectionSlots {
  readonly #limits: SlotLimits;
  readonly #clock: Clock;
  readonly #serve: (socket: Socket, client: string) => void;
  readonly #turns: Turns;
  /** In the order in which they got their slots. */
  readonly #served = new Map<Socket, Served>();
  /** Connection that waits for a turn -> its client. */
  readonly #early = new Map<Socket, string>();
  /** Connection that waits for a slot -> its client, in the order of their turns. */
  readonly #waiting = new Map<Socket, string>();
  #isWatching = false;

  constructor(limits: SlotLimits, clock: Clock, serve: (socket: Socket, client: string) => void) {
    this.#limits = limits;
    this.#clock = clock;
    this.#serve = serve;
    this.#turns = new Turns(limits.rate, clock);
  }

  accept(socket: Socket): void {
    const client = clientOf(socket.remoteAddress);
    if (!this.#hasPlaceToWait(client)) {
      socket.destroy();
      return;
    }
    // Without a listener an error would end the process.
    socket.on("error", () => undefined);
    socket.once("close", () => {
      giveUp();
      this.#early.delete(socket);
      this.#waiting.delete(socket);
      if (this.#served.delete(socket)) this.#serveWaiting();
    });
    this.#early.set(socket, client);
    const giveUp = this.#turns.take(client, () => {
      this.#early.delete(socket);
      this.#place(socket, client);
    });
  }

  #place(socket: Socket, client: string): void {
    if (this.#served.size < this.#limits.slots) this.#start(socket, client);
    else if (this.#isBehind(client)) {
      this.#replaceCrowded();
      this.#start(socket, client);
    } else {
      this.#waiting.set(socket, client);
      void this.#watch();
    }
  }

  closeAll(): void {
    for (const socket of [...this.#early.keys(), ...this.#waiting.keys(), ...this.#served.keys()]) socket.destroy();
  }

  /** Returns whether a connection of this client may wait. If too many wait, one of the client with most makes room. */
  #hasPlaceToWait(client: string): boolean {
    if (this.#early.size + this.#waiting.size < this.#limits.waiting) return true;
    const all = [...this.#early, ...this.#waiting];
    const counts = countsOf(all.map(([, each]) => each));
    const most = Math.max(...counts.values());
    if ((counts.get(client) ?? 0) + 1 >= most) return false;
    const [crowded] = all.find(([, each]) => counts.get(each) === most) ?? [];
    if (crowded === undefined) return false;
    // Its event comes later.
    this.#early.delete(crowded);
    this.#waiting.delete(crowded);
    crowded.destroy();
    return true;
  }

  #start(socket: Socket, client: string): void {
    this.#waiting.delete(socket);
    this.#served.set(socket, { client, sinceMs: this.#clock.monotonic() });
    this.#serve(socket, client);
  }

  /** Gives free slots to the connections that wait, first to clients with the fewest slots. */
  #serveWaiting(): void {
    while (this.#waiting.size > 0 && this.#served.size < this.#limits.slots) {
      const counts = this.#counts();
      let next: readonly [Socket, string] | undefined;
      for (const entry of this.#waiting)
        if (next === undefined || (counts.get(entry[1]) ?? 0) < (counts.get(next[1]) ?? 0)) next = entry;
      if (next !== undefined) this.#start(...next);
    }
  }

  /** Ends connections that were served for long enough, as long as others wait. */
  async #watch(): Promise<void> {
    if (this.#isWatching) return;
    this.#isWatching = true;
    try {
      while (this.#waiting.size > 0) {
        await this.#clock.sleep(TURN_MS);
        this.#endTurns();
      }
    } finally {
      this.#isWatching = false;
    }
  }

  /** Ends connections that were served for long enough, and serves others in their place. */
  #endTurns(): void {
    const { slots, minimumMs } = this.#limits;
    const most = Math.min(this.#waiting.size, Math.ceil((slots * TURN_MS) / minimumMs));
    for (let ended = 0; ended < most; ended++) {
      const crowded = this.#crowded();
      if (crowded === undefined || this.#clock.monotonic() - crowded.sinceMs < minimumMs) return;
      this.#replaceCrowded();
      this.#serveWaiting();
    }
  }

  /** Returns whether a client has at least two slots fewer than another. */
  #isBehind(client: string): boolean {
    const counts = this.#counts();
    return (counts.get(client) ?? 0) + 1 < Math.max(...counts.values());
  }

  #replaceCrowded(): void {
    const socket = this.#crowded()?.socket;
    if (socket === undefined) return;
    // Its event comes later.
    this.#served.delete(socket);
    socket.destroy();
  }

  /** Returns the oldest connection of the client with the most slots. */
  #crowded(): { readonly socket: Socket; readonly sinceMs: number } | undefined {
    const counts = this.#counts();
    const most = Math.max(...counts.values());
    for (const [socket, { client, sinceMs }] of this.#served)
      if (counts.get(client) === most) return { socket, sinceMs };
    return undefined;
  }

  /** Client -> number of its slots. */
  #counts(): ReadonlyMap<string, number> {
    return countsOf([...this.#served.values()].map(({ client }) => client));
  }
}

/** Client -> how often it is in the list. */
function countsOf(clients: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const client of clients) counts.set(client, (counts.get(client) ?? 0) + 1);
  return counts;
}
