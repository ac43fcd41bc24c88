import { rmSync, symlinkSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { encodePacket, PacketAssembler, type PacketHeader } from "../../src/libvirt/packet.ts";
import { MESSAGE_TYPE, PROGRAM, REMOTE_ERROR, STATUS } from "../../src/libvirt/protocol.ts";
import { writeRemoteError } from "../../src/libvirt/wire-types.ts";
import type { XdrReader } from "../../src/libvirt/xdr.ts";
import { PROCEDURES } from "../../src/simulator/procedures.ts";
import type { SimulatedHost } from "../../src/simulator/simulated-host.ts";
import type { Behaviour, ReceivedCall } from "./attack.ts";

interface Launcher {
  readonly socketPath: string;
  readonly host: SimulatedHost;
  readonly behaviour: Behaviour;
  readonly connected: () => void;
}

/** Serves a libvirt socket with the behaviour of an attack, until the process ends. Calls `connected` for each connection. */
export async function serveHostile({ socketPath, host, behaviour, connected }: Launcher): Promise<void> {
  if (behaviour.linkTo !== undefined) {
    symlinkSync(behaviour.linkTo, socketPath);
    return;
  }
  const sockets = new Set<Socket>();
  const listen = (): Promise<Server> =>
    new Promise((resolve, reject) => {
      rmSync(socketPath, { force: true });
      const server = createServer((socket) => {
        connected();
        sockets.add(socket);
        socket.on("close", () => sockets.delete(socket));
        serve(socket, host, behaviour);
      });
      server.once("error", reject);
      server.listen(socketPath, () => {
        resolve(server);
      });
    });
  let server = await listen();
  if (behaviour.restartMs === undefined) return;
  setInterval(() => {
    for (const socket of sockets) socket.destroy();
    server.close(() => {
      void listen().then((next) => (server = next));
    });
  }, behaviour.restartMs);
}

function serve(socket: Socket, host: SimulatedHost, behaviour: Behaviour): void {
  socket.on("error", () => socket.destroy());
  behaviour.connected?.(socket);
  const assembler = new PacketAssembler((header, payload) => {
    if (header.program !== PROGRAM.REMOTE || header.type !== MESSAGE_TYPE.CALL) return;
    const call = callOf(header, socket);
    if (behaviour.answer?.(call) !== true) answerHonestly(host, call, payload);
  });
  socket.on("data", (chunk: Buffer) => {
    try {
      assembler.push(chunk);
    } catch {
      socket.destroy();
    }
  });
}

function callOf(header: PacketHeader, socket: Socket): ReceivedCall {
  const { procedure, serial } = header;
  const reply = { ...header, type: MESSAGE_TYPE.REPLY };
  const send = (packet: Buffer): void => {
    if (!socket.destroyed) socket.write(packet);
  };
  return {
    procedure,
    serial,
    socket,
    reply: (write) => {
      send(encodePacket({ ...reply, status: STATUS.OK }, write));
    },
    fail: (message) => {
      send(
        encodePacket({ ...reply, status: STATUS.ERROR }, (writer) => {
          writeRemoteError(writer, REMOTE_ERROR.INTERNAL, message);
        }),
      );
    },
  };
}

function answerHonestly(host: SimulatedHost, call: ReceivedCall, payload: XdrReader): void {
  const perform = PROCEDURES.get(call.procedure)?.(payload);
  const answer = async (): Promise<void> => {
    if (perform === undefined) throw new Error(`no procedure ${call.procedure}`);
    call.reply(await perform(host, { since: new Map() }, new Set()));
  };
  answer().catch((error: unknown) => {
    call.fail(String(error));
  });
}
