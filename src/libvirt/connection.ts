import { createConnection, type Socket } from "node:net";
import { LibvirtError } from "./errors.ts";
import { encodePacket, PacketAssembler, type PacketHeader } from "./packet.ts";
import { EVENT, KEEPALIVE, LIMIT, MESSAGE_TYPE, PROCEDURE, PROGRAM, STATUS, type ProcedureName } from "./protocol.ts";
import { readLifecycleEvent } from "./replies.ts";
import { readRemoteError } from "./wire-types.ts";
import type { LifecycleEvent } from "./types.ts";
import type { XdrReader, XdrWriter } from "./xdr.ts";

/** Libvirtd stops reading from a client that has five outstanding calls. This client stays one below. */
const MAX_OUTSTANDING = 4;
/** Time that a daemon has to answer CONNECT_CLOSE. */
const CLOSE_TIMEOUT_MS = 500;

/** Receive buffer of all sockets, so that no read allocates. Its bytes are processed before the next read. */
const RECEIVED = Buffer.allocUnsafeSlow(64 * 1024);

export interface Call<Result> {
  readonly procedure: ProcedureName;
  readonly write?: (writer: XdrWriter) => void;
  /** Decodes the reply. The reader is valid only during this call. */
  readonly read: (reader: XdrReader) => Result;
  /** Milliseconds from now; Infinity for no deadline. */
  readonly deadlineMs: number;
}

interface PendingCall {
  readonly call: Call<unknown>;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: LibvirtError) => void;
  timer: NodeJS.Timeout | undefined;
  answered: boolean;
}

/**
 * One connection to a libvirt daemon: calls, replies in any order, events, keepalive. A missed deadline or a protocol
 * error ends it, because later bytes from the daemon cannot be trusted.
 */
export class LibvirtConnection {
  readonly #socket: Socket;
  readonly #assembler = new PacketAssembler((header, payload) => {
    this.#received(header, payload);
  });
  readonly #outstanding = new Map<number, PendingCall>();
  readonly #queued = new Set<PendingCall>();
  readonly #whenClosed = Promise.withResolvers<LibvirtError | undefined>();
  #serial = 0;
  #closing = false;
  #ended = false;
  onLifecycle: (event: LifecycleEvent) => void = () => undefined;
  /** Is called before each call to the daemon. */
  onCall: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
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
  static connect(path: string, deadlineMs: number): Promise<LibvirtConnection> {
    const length = Buffer.byteLength(path);
    if (length === 0 || length > LIMIT.SOCKET_PATH) {
      const why = `the path has ${length} bytes; the system allows 1 to ${LIMIT.SOCKET_PATH} for a socket`;
      return Promise.reject(new LibvirtError("E_LIBVIRT_PATH", `${path}: ${why}`));
    }
    if (path.includes("\0")) {
      return Promise.reject(
        new LibvirtError("E_LIBVIRT_PATH", `${JSON.stringify(path)}: a path cannot hold a zero byte`),
      );
    }
    return new Promise((resolve, reject) => {
      let connection: LibvirtConnection | undefined;
      const socket = createConnection({
        // As an option: Node takes a bare string of digits for a TCP port.
        path,
        onread: {
          buffer: RECEIVED,
          callback: (bytes) => {
            if (connection !== undefined) connection.#push(RECEIVED.subarray(0, bytes));
            return true;
          },
        },
      });
      const timer = setDeadline(deadlineMs, () => {
        socket.destroy();
        reject(new LibvirtError("E_LIBVIRT_TIMEOUT", `${path}: no connection within ${Math.round(deadlineMs)} ms`));
      });
      const failed = (error: NodeJS.ErrnoException): void => {
        clearTimeout(timer);
        reject(connectError(path, error));
      };
      socket.once("error", failed);
      socket.once("connect", () => {
        clearTimeout(timer);
        socket.off("error", failed);
        connection = new LibvirtConnection(socket);
        resolve(connection);
      });
    });
  }

  /** Resolves when the connection ends: to the reason, or to undefined if this side closed it. Never rejects. */
  get closed(): Promise<LibvirtError | undefined> {
    return this.#whenClosed.promise;
  }

  get isOpen(): boolean {
    return !this.#ended && !this.#closing;
  }

  /** @throws {LibvirtError} */
  call<Result>(call: Call<Result>): Promise<Result> {
    if (!this.isOpen) {
      return Promise.reject(new LibvirtError("E_LIBVIRT_CLOSED", "the connection to libvirt is closed"));
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
    this.#socket.write(encodePacket(header, pending.call.write));
  }

  #timedOut(pending: PendingCall): void {
    if (this.#ended || pending.answered) return;
    const { procedure, deadlineMs } = pending.call;
    const error = new LibvirtError(
      "E_LIBVIRT_TIMEOUT",
      `libvirt did not answer ${procedure} within ${Math.round(deadlineMs)} ms`,
    );
    pending.reject(error);
    this.#end(new LibvirtError("E_LIBVIRT_CLOSED", `the connection was dropped: ${error.message}`, { cause: error }));
  }

  #push(chunk: Buffer): void {
    try {
      if (!this.#ended) this.#assembler.push(chunk);
    } catch (error) {
      this.#end(
        error instanceof LibvirtError ? error : new LibvirtError("E_LIBVIRT_PROTOCOL", String(error), { cause: error }),
      );
    }
  }

  #received(header: PacketHeader, payload: XdrReader): void {
    if (header.program === PROGRAM.KEEPALIVE) {
      // If the daemon does not read, unsent pongs must not pile up in memory.
      if (header.procedure === KEEPALIVE.PING && !this.#socket.writableNeedDrain)
        this.#socket.write(encodePacket({ ...header, procedure: KEEPALIVE.PONG }));
      return;
    }
    if (header.program !== PROGRAM.REMOTE) throw payload.fault(`the program is ${header.program}`);
    if (header.type === MESSAGE_TYPE.REPLY) this.#answered(header, payload);
    else if (header.type !== MESSAGE_TYPE.MESSAGE) throw payload.fault(`the message type is ${header.type}`);
    else if (header.procedure === EVENT.DOMAIN_LIFECYCLE) this.onLifecycle(readLifecycleEvent(payload));
  }

  #answered({ serial, status, procedure }: PacketHeader, payload: XdrReader): void {
    const pending = this.#outstanding.get(serial);
    if (pending === undefined) throw payload.fault(`no call has the serial ${serial} of this reply`);
    const { call } = pending;
    if (procedure !== PROCEDURE[call.procedure])
      throw payload.fault(`the reply to ${call.procedure} is for procedure ${procedure}`);
    if (status !== STATUS.OK && status !== STATUS.ERROR) throw payload.fault(`a reply has the status ${status}`);
    // An exception of the decoder ends the connection, and #end rejects this call with all others.
    const result = status === STATUS.OK ? call.read(payload) : readRemoteError(payload, call.procedure);
    if (status === STATUS.OK) payload.expectEnd();
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

/** Longest delay of a timer. Node fires a longer one at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

function setDeadline(ms: number, missed: () => void): NodeJS.Timeout | undefined {
  return ms > MAX_TIMER_MS ? undefined : setTimeout(missed, ms);
}

function connectError(path: string, error: NodeJS.ErrnoException): LibvirtError {
  switch (error.code) {
    case "EACCES":
    case "EPERM":
      return new LibvirtError("E_LIBVIRT_DENIED", `${path}: no permission to use the socket (${error.code})`, {
        cause: error,
      });
    case "ENOENT":
      return new LibvirtError("E_LIBVIRT_UNREACHABLE", `${path}: no such socket; is the daemon running?`, {
        cause: error,
      });
    case "ECONNREFUSED":
      return new LibvirtError(
        "E_LIBVIRT_UNREACHABLE",
        `${path}: no process listens on the socket; the daemon has ended`,
        {
          cause: error,
        },
      );
    default:
      return new LibvirtError("E_LIBVIRT_UNREACHABLE", `${path}: ${error.message}`, { cause: error });
  }
}
