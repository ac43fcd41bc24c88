import type { Socket } from "node:net";
import type { Call, PendingCall } from "./call.ts";
import { setDeadline } from "./deadline.ts";
import { LibvirtError } from "./errors.ts";
import { openSocket } from "./open-socket.ts";
import { encodePacket, PacketAssembler, type PacketHeader } from "./packet.ts";
import { PacketWriter } from "./packet-writer.ts";
import { trustedPeer, type Peer } from "./peer.ts";
import { KEEPALIVE, MESSAGE_TYPE, PROCEDURE, PROGRAM, STATUS } from "./protocol.ts";
import { KeptBytes } from "./receive-memory.ts";
import { readRemoteError } from "./wire-types.ts";
import type { XdrReader } from "./xdr.ts";

/** Libvirtd stops reading from a client that has five outstanding calls. This client stays one below. */
const MAX_OUTSTANDING = 4;
/** Calls that may be late while the daemon answers others. They leave room for a call and for one that looks after it. */
const MAX_LATE = 2;
/** Time that a daemon has to answer CONNECT_CLOSE. */
const CLOSE_TIMEOUT_MS = 500;
/** A read of fewer bytes that completes no packet counts like an unasked packet. Daemons write whole packets. */
const PIECE_BYTES = 1_024;

/** Receive buffer of all sockets, so that no read allocates. Its bytes are processed before the next read. */
const RECEIVED = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * One connection to a libvirt daemon: calls, replies in any order, events, keepalive. A protocol error ends it, because later
 * bytes from the daemon cannot be trusted. So does a missed deadline, unless the daemon has answered other calls since: then
 * the call waits for a lock in the daemon, and its late reply is ignored.
 */
export class LibvirtConnection {
  readonly #socket: Socket;
  readonly #peer: Peer;
  readonly #assembler: PacketAssembler;
  readonly #kept: KeptBytes;
  readonly #outstanding = new Map<number, PendingCall>();
  readonly #queued = new Set<PendingCall>();
  readonly #writer: PacketWriter;
  /** Calls that have missed their deadline. */
  readonly #late = new Set<PendingCall>();
  #replies = 0;
  readonly #whenClosed = Promise.withResolvers<LibvirtError | undefined>();
  #serial = 0;
  #closing = false;
  #ended = false;
  /** The limit that the daemon exceeded, which is also the error of later calls. */
  #exceeded: LibvirtError | undefined;
  /** Is called with each message that answers no call: its procedure and its payload. An exception ends the connection. */
  onMessage: (procedure: number, payload: XdrReader) => void = () => undefined;
  /** Is called before each call to the daemon. */
  onCall: () => void = () => undefined;

  private constructor(socket: Socket, peer: Peer) {
    this.#socket = socket;
    this.#peer = peer;
    this.#writer = new PacketWriter((bytes) => {
      if (!this.#ended) socket.write(bytes);
    });
    this.#kept = new KeptBytes(peer.memory, {
      peer,
      end: (error) => {
        this.#end(error);
      },
    });
    const onPacket = (header: PacketHeader, payload: XdrReader): void => {
      this.#received(header, payload);
    };
    const onResize = (bytes: number): void => {
      this.#kept.setIncomplete(bytes);
    };
    const { packetBytes } = peer.limits;
    this.#assembler = new PacketAssembler(
      onPacket,
      peer.memory === undefined ? { packetBytes } : { packetBytes, onResize },
    );
    socket.on("error", (error) => {
      this.#end(
        new LibvirtError("E_LIBVIRT_CLOSED", `the connection to libvirt failed: ${error.message}`, { cause: error }),
      );
    });
    socket.on("close", () => {
      this.#end(new LibvirtError("E_LIBVIRT_CLOSED", "libvirt closed the connection"));
    });
  }

  /** @throws {LibvirtError} */
  static connect(path: string, deadlineMs: number, peer = trustedPeer()): Promise<LibvirtConnection> {
    let connection: LibvirtConnection | undefined;
    return openSocket(path, {
      deadlineMs,
      mustBeSocket: peer.mustBeSocket,
      buffer: RECEIVED,
      onBytes: (bytes) => {
        if (connection !== undefined) connection.#push(RECEIVED.subarray(0, bytes));
      },
      onConnect: (socket) => (connection = new LibvirtConnection(socket, peer)),
    });
  }

  /** Resolves when the connection ends: to the reason, or to undefined if this side closed it. Never rejects. */
  get closed(): Promise<LibvirtError | undefined> {
    return this.#whenClosed.promise;
  }

  get isOpen(): boolean {
    return !this.#ended && !this.#closing;
  }

  /** Whether a call without an answer leaves the connection open, even if the daemon has answered nothing since. */
  staysOpen = false;

  /** Whether another late call would end the connection. */
  get isCrowded(): boolean {
    return this.#late.size >= MAX_LATE;
  }

  /** @throws {LibvirtError} */
  call<Result>(call: Call<Result>): Promise<Result> {
    if (!this.isOpen) {
      const closed = new LibvirtError("E_LIBVIRT_CLOSED", "the connection to libvirt is closed");
      return Promise.reject(this.#exceeded ?? closed);
    }
    for (const { call: late } of this.#late) {
      if (late.domain === undefined || late.domain !== call.domain) continue;
      const why = `libvirt has not answered an earlier ${late.procedure} of the same domain`;
      return Promise.reject(new LibvirtError("E_LIBVIRT_TIMEOUT", why));
    }
    return this.#enqueue(call);
  }

  /**
   * Ends the connection and rejects outstanding calls. Without outstanding calls it sends CONNECT_CLOSE first, because
   * the daemon logs an error otherwise, and `closed` resolves after the reply.
   */
  close(): void {
    if (this.#closing) return;
    if (this.#ended || this.#outstanding.size > 0) {
      this.destroy();
      return;
    }
    this.#closing = true;
    const end = (): void => {
      this.destroy();
    };
    this.#enqueue({ procedure: "CONNECT_CLOSE", read: () => undefined, deadlineMs: CLOSE_TIMEOUT_MS }).then(end, end);
  }

  /** Ends the connection at once, without CONNECT_CLOSE. */
  destroy(): void {
    this.#end(undefined);
  }

  #enqueue<Result>(call: Call<Result>): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      const pending: PendingCall = {
        call,
        resolve: resolve as (result: unknown) => void,
        reject,
        timer: undefined,
        answered: false,
        repliesBefore: this.#replies,
      };
      pending.timer = setDeadline(call.deadlineMs, () => {
        // Timers run before sockets are read: if this process was busy, a reply in time may still be unread.
        setImmediate(() => {
          this.#timedOut(pending);
        });
      });
      if (this.#outstanding.size < MAX_OUTSTANDING) this.#send(pending);
      else this.#queued.add(pending);
    });
  }

  #send(pending: PendingCall): void {
    const serial = (this.#serial = (this.#serial % 0xffff_fffe) + 1);
    this.#outstanding.set(serial, pending);
    this.onCall();
    const procedure = PROCEDURE[pending.call.procedure];
    const header = { program: PROGRAM.REMOTE, procedure, type: MESSAGE_TYPE.CALL, serial, status: STATUS.OK };
    this.#writer.push(encodePacket(header, pending.call.write));
  }

  #timedOut(pending: PendingCall): void {
    if (this.#ended || pending.answered) return;
    const { procedure, deadlineMs } = pending.call;
    const why = `libvirt did not answer ${procedure} within ${Math.round(deadlineMs)} ms`;
    const error = new LibvirtError("E_LIBVIRT_TIMEOUT", why);
    pending.reject(error);
    const isAlive = this.staysOpen || this.#replies > pending.repliesBefore;
    if (isAlive && this.#queued.delete(pending)) return;
    if (isAlive && !this.isCrowded) {
      this.#late.add(pending);
      return;
    }
    this.#end(new LibvirtError("E_LIBVIRT_CLOSED", `the connection was dropped: ${error.message}`, { cause: error }));
  }

  #push(chunk: Buffer): void {
    if (this.#ended) return;
    try {
      if (!this.#assembler.push(chunk) && chunk.length < PIECE_BYTES) this.#peer.unasked.record(chunk.length);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#end(
      error instanceof LibvirtError ? error : new LibvirtError("E_LIBVIRT_PROTOCOL", String(error), { cause: error }),
    );
  }

  #received(header: PacketHeader, payload: XdrReader): void {
    if (header.program !== PROGRAM.REMOTE || header.type !== MESSAGE_TYPE.REPLY)
      this.#peer.unasked.record(payload.remaining);
    if (header.program === PROGRAM.KEEPALIVE) {
      // If the daemon does not read, unsent pongs must not pile up in memory.
      if (header.procedure === KEEPALIVE.PING && !this.#socket.writableNeedDrain)
        this.#writer.push(encodePacket({ ...header, procedure: KEEPALIVE.PONG }));
      return;
    }
    if (header.program !== PROGRAM.REMOTE) throw payload.fault(`the program is ${header.program}`);
    if (header.type === MESSAGE_TYPE.REPLY) this.#answered(header, payload);
    else if (header.type !== MESSAGE_TYPE.MESSAGE) throw payload.fault(`the message type is ${header.type}`);
    else this.onMessage(header.procedure, payload);
  }

  #answered({ serial, status, procedure }: PacketHeader, payload: XdrReader): void {
    const pending = this.#outstanding.get(serial);
    if (pending === undefined) throw payload.fault(`no call has the serial ${serial} of this reply`);
    this.#replies++;
    const { call } = pending;
    if (procedure !== PROCEDURE[call.procedure])
      throw payload.fault(`the reply to ${call.procedure} is for procedure ${procedure}`);
    if (status !== STATUS.OK && status !== STATUS.ERROR) throw payload.fault(`a reply has the status ${status}`);
    if (pending.answered) throw payload.fault(`the call ${serial} has two replies`);
    if (this.#late.delete(pending)) {
      this.#finished(serial, undefined);
      return;
    }
    // An exception of the decoder ends the connection, and #end rejects this call with all others.
    if (status === STATUS.ERROR) {
      this.#finished(serial, readRemoteError(payload, call.procedure));
      return;
    }
    const detach = (): void => {
      this.#kept.addDetached(payload.remaining);
      payload.detach();
    };
    const result = call.read(payload, (steps) => this.#peer.queue.run(steps, detach, () => !this.#ended));
    if (result instanceof Promise) {
      pending.answered = true;
      const { length } = payload.buffer;
      result
        .then((later) => {
          this.#kept.addDetached(-length);
          payload.expectEnd();
          this.#finished(serial, later);
        })
        .catch((error: unknown) => {
          this.#fail(error);
        });
    } else {
      payload.expectEnd();
      this.#finished(serial, result);
    }
  }

  #finished(serial: number, result: unknown): void {
    const pending = this.#outstanding.get(serial);
    if (pending === undefined) return;
    this.#outstanding.delete(serial);
    clearTimeout(pending.timer);
    pending.answered = true;
    if (result instanceof LibvirtError) pending.reject(result);
    else pending.resolve(result);
    for (const next of this.#queued) {
      if (this.#outstanding.size >= MAX_OUTSTANDING) break;
      this.#queued.delete(next);
      this.#send(next);
    }
  }

  #end(cause: LibvirtError | undefined): void {
    if (this.#ended) return;
    const reason = this.#closing ? undefined : cause;
    this.#ended = true;
    if (reason?.code === "E_LIBVIRT_LIMIT") this.#exceeded = reason;
    this.#kept.release();
    this.#socket.destroy();
    const error = reason ?? new LibvirtError("E_LIBVIRT_CLOSED", "the connection to libvirt was closed by this client");
    for (const pending of [...this.#outstanding.values(), ...this.#queued]) {
      clearTimeout(pending.timer);
      pending.reject(error);
    }
    this.#outstanding.clear();
    this.#queued.clear();
    this.#whenClosed.resolve(reason);
  }
}
