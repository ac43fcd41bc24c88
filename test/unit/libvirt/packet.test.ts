import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LibvirtError } from "../../../src/libvirt/errors.ts";
import { encodePacket, PacketAssembler, type PacketHeader } from "../../../src/libvirt/packet.ts";
import { LIMIT, PROGRAM } from "../../../src/libvirt/protocol.ts";

interface Packet {
  readonly header: PacketHeader;
  readonly text: string;
}

const WORD = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const PACKET = fc.record<Packet>(
  {
    header: fc.record<PacketHeader>(
      { program: WORD, procedure: WORD, type: WORD, serial: WORD, status: WORD },
      { noNullPrototype: true },
    ),
    text: fc.string({ maxLength: 300 }),
  },
  { noNullPrototype: true },
);

function encode({ header, text }: Packet): Buffer {
  return encodePacket(header, (writer) => writer.string(text));
}

function collector(): { readonly packets: Packet[]; readonly assembler: PacketAssembler } {
  const packets: Packet[] = [];
  const assembler = new PacketAssembler((header, payload) => {
    packets.push({ header, text: payload.string(LIMIT.STRING) });
    payload.expectEnd();
  });
  return { packets, assembler };
}

void test("packets are complete and in order for every division of the stream", () => {
  fc.assert(
    fc.property(fc.array(PACKET, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 200 })), (sent, cuts) => {
      const stream = Buffer.concat(sent.map(encode));
      const { packets, assembler } = collector();
      let at = 0;
      for (let turn = 0; at < stream.length; turn++) {
        const next = at + (cuts[turn] ?? stream.length);
        assembler.push(stream.subarray(at, next));
        at = next;
      }
      assert.deepEqual(packets, sent);
    }),
  );
});

void test("packets are assembled from single bytes", () => {
  const sent = fc.sample(PACKET, { numRuns: 5, seed: 1 });
  const { packets, assembler } = collector();
  for (const byte of Buffer.concat(sent.map(encode))) assembler.push(Buffer.of(byte));
  assert.deepEqual(packets, sent);
});

void test("a packet larger than the first buffer is assembled, and small ones after it", () => {
  const header = { program: PROGRAM.REMOTE, procedure: 1, type: 1, serial: 1, status: 0 };
  const sent = [3_500_000, 10, 200_000, 0].map((length, serial) => ({
    header: { ...header, serial },
    text: "x".repeat(length),
  }));
  const { packets, assembler } = collector();
  const stream = Buffer.concat(sent.map(encode));
  for (let at = 0; at < stream.length; at += 65_536) assembler.push(stream.subarray(at, at + 65_536));
  assert.deepEqual(packets, sent);
});

for (const length of [0, 27, LIMIT.PACKET_MAX + 1, 0xffff_ffff]) {
  void test(`a packet that claims ${length} bytes is a protocol error once its length is read`, () => {
    const word = Buffer.alloc(4);
    word.writeUInt32BE(length);
    const { assembler } = collector();
    assembler.push(word.subarray(0, 3));
    assert.throws(
      () => {
        assembler.push(word.subarray(3));
      },
      (error) =>
        error instanceof LibvirtError &&
        error.code === "E_LIBVIRT_PROTOCOL" &&
        error.message.includes(`claims ${length} bytes`),
    );
  });
}

void test("a program version other than 1 is a protocol error", () => {
  const packet = encode({ header: { program: 1, procedure: 1, type: 1, serial: 1, status: 0 }, text: "" });
  packet.writeUInt32BE(2, 8);
  assert.throws(() => {
    collector().assembler.push(packet);
  }, /version is 2, not 1/);
});

void test("a claimed length of 32 MiB allocates no memory before the bytes arrive", () => {
  const word = Buffer.alloc(4);
  word.writeUInt32BE(LIMIT.PACKET_MAX);
  const before = process.memoryUsage().arrayBuffers;
  const assemblers = Array.from({ length: 50 }, () => {
    const { assembler } = collector();
    assembler.push(word);
    assembler.push(Buffer.alloc(1_000));
    return assembler;
  });
  const grown = process.memoryUsage().arrayBuffers - before;
  assert.ok(grown < 16 * 1024 * 1024, `${assemblers.length} connections took ${grown} bytes`);
});
