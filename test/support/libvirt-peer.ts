import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { LibvirtClient, type OpenOptions } from "../../src/libvirt/client.ts";
import { encodePacket, PacketAssembler } from "../../src/libvirt/packet.ts";
import { MESSAGE_TYPE, PROCEDURE, PROGRAM, STATUS, type ProcedureName } from "../../src/libvirt/protocol.ts";
import { writeRemoteError } from "../../src/libvirt/wire-types.ts";
import type { XdrReader, XdrWriter } from "../../src/libvirt/xdr.ts";
import { atEnd } from "./at-end.ts";

type Write = (writer: XdrWriter) => void;

/** A received call, with ways to answer it correctly or not. */
export interface PeerCall {
  readonly serial: number;
  /** Readable only while the handler runs. */
  readonly payload: XdrReader;
  readonly socket: Socket;
  /** Returns the packet of an answer, for handlers that damage it. */
  readonly answer: (
    write?: Write,
    header?: Partial<{ serial: number; status: number; procedure: number; type: number }>,
  ) => Buffer;
  readonly reply: (write?: Write) => void;
  readonly fail: (libvirtCode: number, message: string) => void;
}

export type Handlers = Partial<Record<ProcedureName, (call: PeerCall) => void>>;

const NAMES = new Map<number, ProcedureName>(
  Object.entries(PROCEDURE).map(([name, number]) => [number, name as ProcedureName]),
);

/** A daemon that accepts every open; `handlers` replace its answers. */
const GOOD: Handlers = {
  AUTH_LIST: (call) => {
    call.reply((writer) => writer.array([0], (type) => writer.uint(type)));
  },
  CONNECT_SUPPORTS_FEATURE: (call) => {
    call.reply((writer) => writer.int(1));
  },
  CONNECT_OPEN: (call) => {
    call.reply();
  },
  CONNECT_GET_LIB_VERSION: (call) => {
    call.reply((writer) => writer.uhyper(9_000_000n));
  },
  CONNECT_CLOSE: (call) => {
    call.reply();
  },
};

export interface Peer {
  readonly socketPath: string;
  /** Called procedures in order, on all connections. */
  readonly received: ProcedureName[];
  readonly sockets: ReadonlySet<Socket>;
}

/** Listens on a socket in a directory of its own until the test ends. Packets that are not calls go to `other`. */
export async function startPeer(
  t: TestContext,
  handlers: Handlers = {},
  other: (header: { readonly program: number; readonly procedure: number }) => void = () => undefined,
): Promise<Peer> {
  const directory = await mkdtemp(join(tmpdir(), "lv-"));
  const received: ProcedureName[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    const assembler = new PacketAssembler((header, payload) => {
      const name = NAMES.get(header.procedure);
      if (header.program !== PROGRAM.REMOTE || name === undefined) {
        other(header);
        return;
      }
      received.push(name);
      (handlers[name] ?? GOOD[name])?.(peerCall(socket, header, payload));
    });
    socket.on("data", (chunk: Buffer) => {
      assembler.push(chunk);
    });
  });
  const socketPath = join(directory, "libvirt-sock-ro");
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  atEnd(t, async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    await rm(directory, { recursive: true, force: true });
  });
  return { socketPath, received, sockets };
}

/** Opens a client of a peer; it is closed when the test ends. `limits` are those of the peer. */
export async function openPeer(
  t: TestContext,
  handlers: Handlers = {},
  limits?: OpenOptions["peer"],
): Promise<{ client: LibvirtClient; peer: Peer }> {
  const peer = await startPeer(t, handlers);
  const client = await LibvirtClient.open(peer.socketPath, {
    deadlineMs: 10_000,
    ...(limits !== undefined && { peer: limits }),
  });
  atEnd(t, () => {
    client.close();
  });
  return { client, peer };
}

function peerCall(
  socket: Socket,
  { serial, procedure }: { serial: number; procedure: number },
  payload: XdrReader,
): PeerCall {
  const answer: PeerCall["answer"] = (write, header = {}) =>
    encodePacket(
      { program: PROGRAM.REMOTE, procedure, type: MESSAGE_TYPE.REPLY, serial, status: STATUS.OK, ...header },
      write,
    );
  return {
    serial,
    payload,
    socket,
    answer,
    reply: (write) => void socket.write(answer(write)),
    fail: (libvirtCode, message) =>
      void socket.write(
        answer(
          (writer) => {
            writeRemoteError(writer, libvirtCode, message);
          },
          { status: STATUS.ERROR },
        ),
      ),
  };
}
