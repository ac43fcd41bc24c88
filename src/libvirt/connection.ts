import { createConnection, type Socket } from "node:net";
import { LibvirtError } from "./errors.ts";
import { encodePacket, PacketAssembler, type PacketHeader } from "./packet.ts";
import { EVENT, KEEPALIVE, LIMIT, MESSAGE_TYPE, PROCEDURE, PROGRAM, STATUS, type ProcedureName } from "./protocol.ts";
import { readLifecycleEvent } from "./replies.ts";
import { readRemoteError } from "./wire-types.ts";
import type { LifecycleEvent } from "./types.ts";
import type { XdrReader, XdrWriter } from "./xdr.ts";

/** libvirtd stops reading from a client with five calls outstanding; the fifth place stays free. */
const MAX_OUTSTANDING = 4;
/** How long a daemon may take to say goodbye. */
const FAREWELL_MS = 500;

/** What every socket reads into: the bytes are used up before the next read of any, and no read makes a buffer. */
const RECEIVED = Buffer.allocUnsafeSlow(64 * 1024);

export interface Call<Result> {
  readonly procedure: ProcedureName;
  readonly write?: (writer: XdrWriter) => void;
  /** Decodes the answer; the reader is of no use once it returns. */
  readonly read: (reader: XdrReader) => Result;
  /** Milliseconds from now; Infinity for none. */
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
 * One stream to a libvirt daemon: calls, their answers in whatever order, events, keepalive. A call that misses its
 * deadline and any fault of the protocol end the connection, because what the daemon sends afterwards cannot be trusted.
 */
export class Connection {
  readonly #socket: Socket;
  readonly #assembler = new PacketAssembler((header, payload) => {
    this.#received(header, payload);
  });
  readonly #outstanding = new Map<number, PendingCall>();
  readonly #waiting = new Set<PendingCall>();
  readonly #closing = Promise.withResolvers<LibvirtError | undefined>();
  #serial = 0;
  #leaving = false;
  #ended = false;
  onLifecycle: (event: LifecycleEvent) => void = () => undefined;
  /** Told of every call that is made. */
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
  static connect(path: string, deadlineMs: number): Promise<Connection> {
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
      let connection: Connection | undefined;
      const socket = createConnection({
        // A bare string of digits would be taken for a TCP port.
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
        connection = new Connection(socket);
        resolve(connection);
      });
    });
  }

  /** Settles when the connection ends: with the reason, or undefined when this side closed it. Never rejects. */
  get closed(): Promise<LibvirtError | undefined> {
    return this.#closing.promise;
  }

  get isOpen(): boolean {
    return !this.#ended && !this.#leaving;
  }

  /** @throws {LibvirtError} */
  call<Result>(call: Call<Result>): Promise<Result> {
    if (!this.isOpen) {
      return Promise.reject(new LibvirtError("E_LIBVIRT_CLOSED", "the connection to libvirt is closed"));
    }
    return this.#enqueue(call);
  }

  /**
   * Ends the connection and rejects the calls that are outstanding. If there are none the daemon is told first, or it
   * would log the end of the stream as an error; `closed` settles when it has answered.
   */
  close(): void {
    if (this.#leaving) return;
    if (this.#ended || this.#outstanding.size > 0) {
      this.destroy();
      return;
    }
    this.#leaving = true;
    const leave = (): void => {
      this.destroy();
    };
    this.#enqueue({ procedure: "CONNECT_CLOSE", read: () => undefined, deadlineMs: FAREWELL_MS }).then(leave, leave);
  }

  /** Ends the connection at once. */
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
        // Timers run before the sockets are read: after a busy spell of this process the answer may have come in time.
        setImmediate(() => {
          this.#missed(pending);
        });
      });
      if (this.#outstanding.size < MAX_OUTSTANDING) this.#send(pending);
      else this.#waiting.add(pending);
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

  #missed(pending: PendingCall): void {
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
      // A daemon that pings without reading the answers must not fill this process's memory with them.
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
    if (pending === undefined) throw payload.fault(`an answer has the serial ${serial}, which no call has`);
    const { call } = pending;
    if (procedure !== PROCEDURE[call.procedure])
      throw payload.fault(`the answer to ${call.procedure} is for ${procedure}`);
    if (status !== STATUS.OK && status !== STATUS.ERROR) throw payload.fault(`an answer has the status ${status}`);
    // What decoding throws is a fault of the connection and reaches this call with all others through #end.
    const result = status === STATUS.OK ? call.read(payload) : readRemoteError(payload, call.procedure);
    if (status === STATUS.OK) payload.done();
    this.#outstanding.delete(serial);
    clearTimeout(pending.timer);
    pending.answered = true;
    if (result instanceof LibvirtError) pending.reject(result);
    else pending.resolve(result);
    for (const next of this.#waiting) {
      if (this.#outstanding.size >= MAX_OUTSTANDING) break;
      this.#waiting.delete(next);
      this.#send(next);
    }
  }

  #end(cause: LibvirtError | undefined): void {
    if (this.#ended) return;
    const reason = this.#leaving ? undefined : cause;
    this.#ended = true;
    this.#socket.destroy();
    const error = reason ?? new LibvirtError("E_LIBVIRT_CLOSED", "the connection to libvirt was closed by this client");
    for (const pending of [...this.#outstanding.values(), ...this.#waiting]) {
      clearTimeout(pending.timer);
      pending.reject(error);
    }
    this.#outstanding.clear();
    this.#waiting.clear();
    this.#closing.resolve(reason);
  }
}

/** The longest that a timer can wait; beyond it, it would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

function setDeadline(ms: number, missed: () => void): NodeJS.Timeout | undefined {
  return ms > MAX_TIMER_MS ? undefined : setTimeout(missed, ms);
}

function connectError(path: string, error: NodeJS.ErrnoException): LibvirtError {
  switch (error.code) {
    case "EACCES":
    case "EPERM":
      return new LibvirtError("E_LIBVIRT_DENIED", `${path}: this process may not use the socket (${error.code})`, {
        cause: error,
      });
    case "ENOENT":
      return new LibvirtError("E_LIBVIRT_UNREACHABLE", `${path}: there is no such socket; is the daemon running?`, {
        cause: error,
      });
    case "ECONNREFUSED":
      return new LibvirtError("E_LIBVIRT_UNREACHABLE", `${path}: nobody listens on the socket; the daemon has ended`, {
        cause: error,
      });
    default:
      return new LibvirtError("E_LIBVIRT_UNREACHABLE", `${path}: ${error.message}`, { cause: error });
  }
}
