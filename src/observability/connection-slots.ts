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
  /** Connections that may wait. Above it, a new one is reset. */
  readonly waiting: number;
  /** How often a connection gets a slot. */
  readonly rate: BurstOptions;
}

interface Served {
  readonly client: string;
  readonly socket: Socket;
  readonly sinceMs: number;
}

/** Connections that wait take 4 KiB each, and a file descriptor. */
const WAITING = { least: 16, most: 1_024, shareOfFiles: 1 / 16 };

/** Returns how many connections may wait in a process that may have this many files open. */
export function maxWaiting(files: number): number {
  return Math.min(WAITING.most, Math.max(WAITING.least, Math.floor(files * WAITING.shareOfFiles)));
}

/**
 * Serves a bounded number of connections, and starts to serve them at a bounded rate. The others wait, unread, so that they cost
 * little. Those of clients with the fewest slots go first. If no slot is free, a connection of a client with fewer slots than
 * others replaces one of the client with most: a flood from one address does not keep the kubelet out. Else it replaces one
 * that was served for `minimumMs`.
 */
export class ConnectionSlots {
  readonly #limits: SlotLimits;
  readonly #clock: Clock;
  /** Client -> its connections that are served, and since when. Each client has at least one. */
  readonly #served = new Map<string, Map<Socket, number>>();
  #count = 0;
  readonly #turns: Turns<Socket>;

  constructor(limits: SlotLimits, clock: Clock, serve: (socket: Socket, client: string) => void) {
    this.#limits = limits;
    this.#clock = clock;
    this.#turns = new Turns(
      {
        rate: limits.rate,
        loadOf: (client) => this.#slotsOf(client),
        canStart: (client) => this.#count < limits.slots || this.#replaceable(client) !== undefined,
        start: (socket, client) => {
          if (this.#count >= limits.slots) this.#replace(this.#replaceable(client));
          this.#hold(client, socket);
          serve(socket, client);
        },
      },
      clock,
    );
  }

  /** Takes a connection that was accepted and is paused. */
  accept(socket: Socket): void {
    const client = clientOf(socket.remoteAddress);
    if (!this.#hasPlaceToWait(client)) {
      // This costs least: nothing else has to be sent or kept for it.
      socket.resetAndDestroy();
      return;
    }
    // Without a listener an error would end the process.
    socket.on("error", () => undefined);
    socket.once("close", () => {
      this.#turns.giveUp(client, socket);
      this.#release(client, socket);
    });
    this.#turns.take(client, socket);
  }

  closeAll(): void {
    for (const sockets of this.#turns.waiting.values()) for (const socket of sockets) socket.destroy();
    for (const sockets of this.#served.values()) for (const socket of sockets.keys()) socket.destroy();
  }

  /**
   * Returns whether a connection of this client may wait. If too many wait, one of a client that has more than its part makes room.
   * The only one of a known client replaces one of the newest client that is not known. Of a flood this runs for every connection,
   * so it makes no list of all connections.
   */
  #hasPlaceToWait(client: string): boolean {
    const { size, waiting } = this.#turns;
    if (size < this.#limits.waiting) return true;
    const part = size / waiting.size;
    const own = waiting.get(client)?.size ?? 0;
    // One client at least has the average or more.
    if (own + 1 < part) return this.#makeRoom([...waiting].find(([, each]) => each.size >= part));
    if (own > 0 || !this.#turns.isKnown(client)) return false;
    return this.#makeRoom([...waiting].findLast(([each]) => !this.#turns.isKnown(each)));
  }

  /** Closes the oldest connection of a client that waits; returns false without a client. */
  #makeRoom(waiting: readonly [client: string, sockets: ReadonlySet<Socket>] | undefined): boolean {
    const [client, sockets = []] = waiting ?? [];
    const [oldest] = sockets;
    if (client === undefined || oldest === undefined) return false;
    // Its event comes later.
    this.#turns.giveUp(client, oldest);
    oldest.destroy();
    return true;
  }

  #hold(client: string, socket: Socket): void {
    const sockets = this.#served.get(client) ?? new Map<Socket, number>();
    this.#served.set(client, sockets.set(socket, this.#clock.monotonic()));
    this.#count++;
  }

  #release(client: string, socket: Socket): void {
    const sockets = this.#served.get(client);
    if (sockets?.delete(socket) !== true) return;
    this.#count--;
    if (sockets.size === 0) this.#served.delete(client);
  }

  /**
   * Returns the connection that a new one of this client replaces if no slot is free: the oldest one of the client with the most
   * slots. Undefined if the new one has to wait.
   */
  #replaceable(client: string): Served | undefined {
    let crowded: Served | undefined;
    let most = 0;
    for (const [each, sockets] of this.#served) {
      const [[socket, sinceMs] = []] = sockets;
      if (socket === undefined || sinceMs === undefined || sockets.size < most) continue;
      if (sockets.size === most && crowded !== undefined && crowded.sinceMs <= sinceMs) continue;
      crowded = { client: each, socket, sinceMs };
      most = sockets.size;
    }
    const isBehind = this.#slotsOf(client) + 1 < most;
    const isOver = crowded !== undefined && this.#clock.monotonic() - crowded.sinceMs >= this.#limits.minimumMs;
    return isBehind || isOver ? crowded : undefined;
  }

  #replace(served: Served | undefined): void {
    if (served === undefined) return;
    // Its event comes later.
    this.#release(served.client, served.socket);
    served.socket.destroy();
  }

  #slotsOf(client: string): number {
    return this.#served.get(client)?.size ?? 0;
  }
}
