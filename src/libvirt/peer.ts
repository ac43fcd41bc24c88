import { DecodeQueue } from "./decode-queue.ts";
import { PROTOCOL_LIMITS, UnaskedPackets, type PeerLimits } from "./limits.ts";
import { ParameterShares } from "./parameter-shares.ts";
import { ReceiveMemory } from "./receive-memory.ts";

/** What all daemons with limits share: memory for received bytes, time for decoding, and large replies. */
export class SharedLimits {
  readonly memory: ReceiveMemory;
  readonly queue = new DecodeQueue();
  readonly parameters = new ParameterShares();

  constructor(receivedBytes: number) {
    this.memory = new ReceiveMemory(receivedBytes);
  }
}

/** The limits of one daemon and what it has used of them, in all connections to it. */
export interface Peer {
  readonly limits: PeerLimits;
  readonly unasked: UnaskedPackets;
  readonly memory: ReceiveMemory | undefined;
  readonly queue: DecodeQueue;
  /** The path must be a socket itself: a link could lead to the socket of another daemon. */
  readonly mustBeSocket: boolean;
}

/** Returns a daemon with limits. */
export function limitedPeer(limits: PeerLimits, { memory, queue }: SharedLimits, now?: () => number): Peer {
  return { limits, unasked: new UnaskedPackets(limits, now), memory, queue, mustBeSocket: true };
}

/** Returns a daemon that is trusted as far as the protocol allows. */
export function trustedPeer(): Peer {
  const limits = PROTOCOL_LIMITS;
  const unasked = new UnaskedPackets(limits);
  return { limits, unasked, memory: undefined, queue: new DecodeQueue(), mustBeSocket: false };
}
