import { chmod, lstat, rm } from "node:fs/promises";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { encodePacket, PacketAssembler, type PacketHeader } from "../libvirt/packet.ts";
import { DOMAIN_EVENT, KEEPALIVE, LIMIT, MESSAGE_TYPE, PROGRAM, REMOTE_ERROR, STATUS } from "../libvirt/protocol.ts";
import { writeRemoteError } from "../libvirt/wire-types.ts";
import type { DomainEvent } from "../libvirt/types.ts";
import { eventPacket } from "./event-packet.ts";
import { ErrorReply, PROCEDURES, type PerformCall } from "./procedures.ts";
import type { MonitorJobs, SimulatedHost } from "./simulated-host.ts";

/** Serves a simulated host over libvirt's RPC protocol on a unix socket. */
export class SimulatorServer implements AsyncDisposable {
  readonly socketPath: string;
  readonly #host: SimulatedHost;
  readonly #server: Server;
  /** Client -> the ids of the events that it has subscribed to. */
  readonly #clients = new Map<Socket, Set<number>>();
  readonly #jobs: MonitorJobs = { since: new Map() };

  private constructor(socketPath: string, host: SimulatedHost) {
    this.socketPath = socketPath;
    this.#host = host;
    host.onEvent.add(this.#send);
    this.#server = createServer((socket) => {
      this.#serve(socket);
    });
  }

  /**
   * Starts a server. It replaces a socket that no process listens on.
   * @throws if a process listens on the socket, or the path is too long, not a socket or not writable
   */
  static async start(socketPath: string, host: SimulatedHost): Promise<SimulatorServer> {
    if (Buffer.byteLength(socketPath) > LIMIT.SOCKET_PATH) {
      throw new Error(`the path is longer than ${LIMIT.SOCKET_PATH} bytes, the limit for a socket`);
    }
    if (await isServed(socketPath)) throw new Error("the socket is in use by another server");
    if (await isSocket(socketPath)) await rm(socketPath);
    const simulator = new SimulatorServer(socketPath, host);
    await new Promise<void>((resolve, reject) => {
      simulator.#server.once("error", reject);
      simulator.#server.listen(socketPath, resolve);
    });
    await chmod(socketPath, 0o777);
    return simulator;
  }

  /** Number of bulk calls that wait for a stuck domain; each blocks a worker of a real daemon. */
  get blockedCalls(): number {
    return this.#jobs.since.size;
  }

  get clients(): number {
    return this.#clients.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#host.onEvent.delete(this.#send);
    for (const socket of this.#clients.keys()) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(this.socketPath, { force: true });
  }

  readonly #send = (event: DomainEvent): void => {
    for (const [socket, events] of this.#clients)
      if (events.has(DOMAIN_EVENT[event.name].id)) socket.write(eventPacket(event));
  };

  #serve(socket: Socket): void {
    const events = new Set<number>();
    this.#clients.set(socket, events);
    socket.on("close", () => this.#clients.delete(socket));
    socket.on("error", () => socket.destroy());
    const assembler = new PacketAssembler((header, payload) => {
      if (header.program === PROGRAM.KEEPALIVE) {
        // Its procedures have numbers of their own.
        if (header.procedure === KEEPALIVE.PING) socket.write(encodePacket({ ...header, procedure: KEEPALIVE.PONG }));
        return;
      }
      const perform = PROCEDURES.get(header.procedure)?.(payload) ?? (() => Promise.reject(unknownProcedure(header)));
      this.#host.calls.set(header.procedure, (this.#host.calls.get(header.procedure) ?? 0) + 1);
      void this.#answer(socket, header, (host, jobs) => perform(host, jobs, events));
    });
    socket.on("data", (chunk: Buffer) => {
      try {
        assembler.push(chunk);
      } catch {
        socket.destroy();
      }
    });
  }

  async #answer(
    socket: Socket,
    header: PacketHeader,
    perform: (...args: [SimulatedHost, MonitorJobs]) => ReturnType<PerformCall>,
  ): Promise<void> {
    const reply = { ...header, program: PROGRAM.REMOTE, type: MESSAGE_TYPE.REPLY };
    let packet: Buffer;
    try {
      await this.#host.thawed();
      const write = await perform(this.#host, this.#jobs);
      packet = encodePacket({ ...reply, status: STATUS.OK }, write);
    } catch (error) {
      const { code, message } =
        error instanceof ErrorReply ? error : new ErrorReply(REMOTE_ERROR.INTERNAL, String(error));
      packet = encodePacket({ ...reply, status: STATUS.ERROR }, (writer) => {
        writeRemoteError(writer, code, message);
      });
    }
    if (!socket.destroyed) socket.write(packet);
  }
}

function unknownProcedure({ procedure }: PacketHeader): ErrorReply {
  return new ErrorReply(REMOTE_ERROR.INTERNAL, `the simulator does not support procedure ${procedure}`);
}

async function isSocket(file: string): Promise<boolean> {
  try {
    return (await lstat(file)).isSocket();
  } catch {
    return false;
  }
}

function isServed(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(socketPath);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => {
      resolve(false);
    });
  });
}
