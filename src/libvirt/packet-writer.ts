/** Writes the packets of one turn of the event loop together, because each write is a system call and wakes the daemon. */
export class PacketWriter {
  readonly #write: (bytes: Buffer) => void;
  #unsent: Buffer[] = [];

  constructor(write: (bytes: Buffer) => void) {
    this.#write = write;
  }

  /** Writes the packet before this turn of the event loop ends. */
  push(packet: Buffer): void {
    if (this.#unsent.push(packet) === 1) process.nextTick(this.#flush);
  }

  readonly #flush = (): void => {
    const [first, ...others] = this.#unsent;
    this.#unsent = [];
    if (first !== undefined) this.#write(others.length === 0 ? first : Buffer.concat([first, ...others]));
  };
}
