import { overLimit, type LibvirtError } from "./errors.ts";

/** A connection that keeps received bytes. */
export interface Holder {
  /** The daemon; its connections count together. */
  readonly peer: object;
  /** Frees the bytes. */
  readonly end: (error: LibvirtError) => void;
}

/**
 * Bounds the bytes that all connections together have received and not decoded. If they are too many, the daemon that
 * keeps most loses its largest connection, because the daemon whose packet arrives last may need only a little.
 */
export class ReceiveMemory {
  readonly #maxBytes: number;
  readonly #held = new Map<Holder, number>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The bytes that are kept now. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Records how many bytes a connection keeps; call it before they are allocated.
   * @throws {LibvirtError} E_LIBVIRT_LIMIT if this connection is the one to end
   */
  hold(holder: Holder, bytes: number): void {
    this.#set(holder, bytes);
    while (this.#bytes > this.#maxBytes) {
      const largest = this.#largest();
      const kept = `all launchers together may keep ${this.#maxBytes} received bytes, and this one keeps most`;
      const error = overLimit("Memory", `libvirt sends packets that it does not complete: ${kept}`);
      this.#set(largest, 0);
      if (largest === holder) throw error;
      largest.end(error);
    }
  }

  #set(holder: Holder, bytes: number): void {
    this.#bytes += bytes - (this.#held.get(holder) ?? 0);
    if (bytes === 0) this.#held.delete(holder);
    else this.#held.set(holder, bytes);
  }

  #largest(): Holder {
    const ofPeer = new Map<object, number>();
    for (const [{ peer }, bytes] of this.#held) ofPeer.set(peer, (ofPeer.get(peer) ?? 0) + bytes);
    let largest: readonly [Holder, number] | undefined;
    for (const [holder, bytes] of this.#held) {
      const [peer, peerBytes] = [holder.peer, ofPeer.get(holder.peer) ?? 0];
      const best = largest === undefined ? 0 : (ofPeer.get(largest[0].peer) ?? 0);
      const isLarger = peerBytes > best || (peer === largest?.[0].peer && bytes > largest[1]);
      if (isLarger) largest = [holder, bytes];
    }
    if (largest === undefined) throw new Error("no connection keeps bytes");
    return largest[0];
  }
}

/** The bytes that one connection keeps: of its incomplete packet, and of replies that are decoded in several turns. */
export class KeptBytes {
  readonly #memory: ReceiveMemory | undefined;
  readonly #holder: Holder;
  #incomplete = 0;
  #detached = 0;
  #isReleased = false;

  /** Without `memory` they have no bound. */
  constructor(memory: ReceiveMemory | undefined, holder: Holder) {
    this.#memory = memory;
    this.#holder = holder;
  }

  /** @throws {LibvirtError} E_LIBVIRT_LIMIT */
  setIncomplete(bytes: number): void {
    this.#incomplete = bytes;
    this.#record();
  }

  /** @throws {LibvirtError} E_LIBVIRT_LIMIT */
  addDetached(bytes: number): void {
    this.#detached += bytes;
    this.#record();
  }

  /** The connection has ended. */
  release(): void {
    this.#isReleased = true;
    this.#memory?.hold(this.#holder, 0);
  }

  #record(): void {
    if (!this.#isReleased) this.#memory?.hold(this.#holder, this.#incomplete + this.#detached);
  }
}
