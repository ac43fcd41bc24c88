import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { Turns } from "./turns.ts";

/** Longer than the head of any request that the server accepts. */
const MAX_WAITING_BYTES = 8 * 1024;
const END_OF_HEAD = "\r\n\r\n";

export interface GateOptions {
  readonly client: string;
  /** Each answer needs a turn. */
  readonly turns: Turns<() => void>;
  /** Time to send the head of a request. */
  readonly headMs: number;
}

/**
 * A connection that shows its server one request at a time. Node parses every request that a read returns, so 64 KiB of
 * pipelined requests would block the process for tens of milliseconds. Here the next request waits, unparsed, until the server
 * calls `next`, and until there is a turn: readers that ask again and again get a bounded number of answers in a second. A
 * connection with more bytes waiting than one request can have is closed, and one whose request is incomplete for too long.
 * Requests have no bodies: the server closes a connection that sends one.
 */
export class RequestGate extends Duplex {
  readonly #socket: Socket;
  readonly #options: GateOptions;
  /** Received, and not shown to the server. */
  #waiting: Buffer = Buffer.alloc(0);
  /** The last bytes of an incomplete head that was shown: its end may be split between two reads. */
  #tail: Buffer = Buffer.alloc(0);
  /** A complete head waits for its turn, or was shown and `next` has not been called for it. */
  #busy = false;
  #giveUpTurn: () => void = () => undefined;
  /** Runs while the head of a request is incomplete. */
  #deadline: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(socket: Socket, options: GateOptions) {
    super();
    this.#socket = socket;
    this.#options = options;
    this.#expectHead();
    socket.on("data", (bytes: Buffer) => {
      this.#receive(bytes);
    });
    socket.on("end", () => {
      this.#ended = true;
      this.#show();
    });
    socket.on("timeout", () => this.emit("timeout"));
    // The cause, such as a reset by the client, does not matter.
    socket.on("error", () => this.destroy());
    socket.on("close", () => this.destroy());
    // It was paused while it waited.
    socket.resume();
  }

  /** Shows the next request. The server calls it when the answer is sent. */
  next(): void {
    this.#busy = false;
    this.#show();
  }

  /** The timeouts of the http server are those of the connection. */
  setTimeout(ms: number): this {
    this.#socket.setTimeout(ms);
    return this;
  }

  #receive(bytes: Buffer): void {
    this.#waiting = this.#waiting.length === 0 ? bytes : Buffer.concat([this.#waiting, bytes]);
    // A head that is too long is shown up to the limit: the server answers 431.
    this.#show();
    if (this.#busy && this.#waiting.length > MAX_WAITING_BYTES) this.destroy();
  }

  #show(): void {
    if (this.#busy || this.destroyed) return;
    const head = Buffer.concat([this.#tail, this.#waiting]);
    const end = head.indexOf(END_OF_HEAD);
    this.#busy = end >= 0;
    const length = this.#busy ? end + END_OF_HEAD.length - this.#tail.length : this.#waiting.length;
    const shown = this.#waiting.subarray(0, length);
    this.#waiting = this.#waiting.subarray(length);
    this.#tail = this.#busy ? Buffer.alloc(0) : head.subarray(1 - END_OF_HEAD.length);
    const push = (): void => {
      if (shown.length > 0) this.push(shown);
      // The client waits for answers, and sends no more requests.
      if (this.#ended && this.#waiting.length === 0) this.push(null);
    };
    if (this.#busy) this.#takeTurn(push);
    else {
      if (shown.length > 0) this.#expectHead();
      push();
    }
  }

  #takeTurn(push: () => void): void {
    const { client, turns } = this.#options;
    clearTimeout(this.#deadline);
    this.#deadline = undefined;
    this.#giveUpTurn = () => {
      turns.giveUp(client, push);
    };
    turns.take(client, push);
  }

  #expectHead(): void {
    this.#deadline ??= setTimeout(() => this.destroy(), this.#options.headMs);
  }

  override _read(): void {
    // The socket pushes. What waits is bounded.
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, encoding, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(() => {
      done();
    });
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#deadline);
    this.#giveUpTurn();
    this.#waiting = Buffer.alloc(0);
    this.#socket.destroy();
    done(error);
  }
}
