import { Socket } from "node:net";
import { encodePacket } from "../../src/libvirt/packet.ts";
import { DOMAIN_EVENT, KEEPALIVE, MESSAGE_TYPE, PROGRAM, STATUS } from "../../src/libvirt/protocol.ts";
import { writeDomain } from "../../src/libvirt/wire-types.ts";
import type { LauncherAttack } from "./attack.ts";

const BATCH = 1_000;

/** Packets that answer no call, and daemons that hold the agent up. */
export const FLOOD_ATTACKS: readonly LauncherAttack[] = [
  {
    name: "ping-flood",
    row: "F5",
    what: "keepalive pings without a pause",
    behave: flood(() => encodePacket({ ...MESSAGE, program: PROGRAM.KEEPALIVE, procedure: KEEPALIVE.PING })),
  },
  {
    name: "event-flood",
    row: "F5",
    what: "lifecycle events without a pause",
    behave: flood((uuid, name) =>
      encodePacket({ ...MESSAGE, procedure: DOMAIN_EVENT.LIFECYCLE.procedure }, (writer) => {
        writer.int(1);
        writeDomain(writer, { name, uuid, id: 1 });
        writer.int(4).int(0);
      }),
    ),
  },
  {
    name: "unknown-messages",
    row: "F5",
    what: "messages of unknown procedures without a pause",
    behave: flood(() => encodePacket({ ...MESSAGE, procedure: 9_999 })),
  },
  {
    name: "unknown-programs",
    row: "F5",
    what: "packets of unknown programs in answer to every call",
    behave: () => ({
      answer: ({ socket }) => {
        socket.write(encodePacket({ ...MESSAGE, program: 0x1234_5678, procedure: 1 }));
        return true;
      },
    }),
  },
  {
    name: "silence",
    row: "-",
    what: "connections are accepted, and no call is answered",
    behave: () => ({ answer: () => true }),
  },
  {
    name: "slow-bytes",
    row: "-",
    what: "a byte of each answer in 100 ms",
    behave: () => ({
      connected: (socket) => {
        slowDown(socket);
      },
    }),
  },
  {
    name: "die-and-return",
    row: "-",
    what: "the daemon ends five times a second, and is back at once",
    behave: () => ({ restartMs: 200 }),
  },
];

const MESSAGE = { program: PROGRAM.REMOTE, type: MESSAGE_TYPE.MESSAGE, serial: 0, status: STATUS.OK } as const;

/** Sends the same packet as fast as the agent reads, and answers all calls. */
function flood(make: (uuid: string, name: string) => Buffer): LauncherAttack["behave"] {
  return ({ domain, victim }) => {
    const packets = Buffer.concat(new Array<Buffer>(BATCH).fill(Buffer.from(make(victim.uuid, domain))));
    return {
      connected: (socket) => {
        const send = (): void => {
          if (socket.destroyed) return;
          if (socket.write(packets)) setImmediate(send);
          else socket.once("drain", send);
        };
        send();
      },
    };
  };
}

/** Makes the socket send what is written to it byte by byte. */
function slowDown(socket: Socket): void {
  const write = (byte: number): boolean => Socket.prototype.write.call(socket, Buffer.from([byte]));
  const queue: number[] = [];
  socket.write = (chunk: Uint8Array | string): boolean => {
    queue.push(...Buffer.from(chunk as Uint8Array));
    return true;
  };
  const timer = setInterval(() => {
    const byte = queue.shift();
    if (byte !== undefined) write(byte);
  }, 100);
  socket.on("close", () => {
    clearInterval(timer);
  });
}
