import { encodePacket } from "../../src/libvirt/packet.ts";
import {
  CONTROL_STATE,
  LIMIT,
  MESSAGE_TYPE,
  PARAMETER_TYPE,
  PROCEDURE,
  PROGRAM,
  STATUS,
} from "../../src/libvirt/protocol.ts";
import { writeDomain } from "../../src/libvirt/wire-types.ts";
import type { XdrWriter } from "../../src/libvirt/xdr.ts";
import type { LauncherAttack, Pod, ReceivedCall } from "./attack.ts";

const { CONNECT_GET_ALL_DOMAIN_STATS: STATS, DOMAIN_GET_CONTROL_INFO: CONTROL } = PROCEDURE;
const MIB = 1 << 20;
const PACKET = LIMIT.PACKET_MAX;
/** Offset of the serial in a packet. */
const SERIAL_AT = 20;

/** Replies of the largest size, with as many typed parameters as fit, and replies that never end. */
export const REPLY_ATTACKS: readonly LauncherAttack[] = [
  {
    name: "dense-reply",
    row: "F2",
    what: "a valid reply of 32 MiB with 1.8 million typed parameters in each cycle",
    behave: (pod) => {
      const packet = densePacket(pod, 7, LIMIT.PARAMETERS);
      return { answer: (call) => sendStats(call, packet) };
    },
  },
  {
    name: "dense-reply-1mib",
    row: "F2",
    what: "a valid reply just below 1 MiB with 65,000 typed parameters in each cycle",
    behave: (pod) => {
      const packet = densePacket(pod, 1, 65_000);
      return { answer: (call) => sendStats(call, packet) };
    },
  },
  {
    name: "withheld-byte",
    row: "F8",
    what: "replies of 32 MiB without their last byte on many connections, of a QEMU that seems busy",
    behave: withheld(PACKET),
  },
  {
    name: "withheld-byte-1mib",
    row: "F8",
    what: "the same with replies just below 1 MiB",
    behave: withheld(MIB - 64),
  },
  {
    name: "big-claims",
    row: "F8",
    what: "every reply claims 32 MiB, and a few bytes of it arrive each second",
    behave: () => ({
      connected: (socket) => {
        const head = Buffer.alloc(LIMIT.PACKET_MIN);
        head.writeUInt32BE(PACKET);
        socket.write(head);
        const timer = setInterval(() => socket.write(Buffer.alloc(1_024)), 1_000);
        socket.on("close", () => {
          clearInterval(timer);
        });
      },
      answer: () => true,
    }),
  },
  {
    name: "wrong-claims",
    row: "F8",
    what: "every packet claims 4 GiB",
    behave: () => ({
      answer: ({ socket }) => {
        socket.write(Buffer.alloc(64, 0xff));
        return true;
      },
    }),
  },
];

/** Returns a valid reply to the bulk call: `domains` records of the VM's domain, each with `parameters` different names. */
function densePacket({ host }: Pod, domains: number, parameters: number): Buffer {
  const [domain] = host.domains.values();
  if (domain === undefined) throw new Error("the simulated host has no domain");
  const header = { program: PROGRAM.REMOTE, procedure: STATS, type: MESSAGE_TYPE.REPLY, serial: 0, status: STATUS.OK };
  return Buffer.from(
    encodePacket(header, (writer) => {
      writer.uint(domains);
      for (let record = 0; record < domains; record++) {
        writeDomain(writer, domain.ref);
        writeParameters(writer, parameters);
      }
    }),
  );
}

function writeParameters(writer: XdrWriter, count: number): void {
  writer.uint(count);
  // Names of four characters, the densest form that differs.
  for (let index = 0; index < count; index++)
    writer.string(index.toString(36).padStart(4, "a").slice(-4)).uint(PARAMETER_TYPE.INT).int(index);
}

function sendStats({ procedure, serial, socket }: ReceivedCall, packet: Buffer): boolean {
  if (procedure !== STATS) return false;
  const head = Buffer.from(packet.subarray(0, LIMIT.PACKET_MIN));
  head.writeUInt32BE(serial, SERIAL_AT);
  socket.write(head);
  socket.write(packet.subarray(LIMIT.PACKET_MIN));
  return true;
}

/** Sends replies of this size without their last byte. The QEMU has a job, so the agent opens further connections. */
function withheld(bytes: number): LauncherAttack["behave"] {
  return (pod) => {
    const filler = Buffer.alloc(bytes - LIMIT.PACKET_MIN - 1);
    const startMs = pod.host.nowMs;
    return {
      answer: ({ procedure, serial, socket, reply }) => {
        if (procedure === CONTROL) {
          const sinceMs = BigInt(Math.round(pod.host.nowMs - startMs));
          reply((writer) => writer.uint(CONTROL_STATE.OCCUPIED).uint(0).uhyper(sinceMs));
          return true;
        }
        if (procedure !== STATS) return false;
        const header = { program: PROGRAM.REMOTE, procedure, type: MESSAGE_TYPE.REPLY, serial, status: STATUS.OK };
        const head = Buffer.from(encodePacket(header));
        head.writeUInt32BE(bytes);
        socket.write(head);
        socket.write(filler);
        return true;
      },
    };
  };
}
