import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { LAUNCHER_BUDGET } from "../../src/budget.ts";
import { readDomainEvent } from "../../src/libvirt/domain-events.ts";
import { finish } from "../../src/libvirt/decode-queue.ts";
import { LibvirtError } from "../../src/libvirt/errors.ts";
import { PROTOCOL_LIMITS, type PeerLimits } from "../../src/libvirt/limits.ts";
import { encodePacket, PacketAssembler } from "../../src/libvirt/packet.ts";
import { DOMAIN_EVENT, MESSAGE_TYPE, PROGRAM, STATUS, type DomainEventName } from "../../src/libvirt/protocol.ts";
import {
  readAuthTypes,
  readControlInfo,
  readCpuStats,
  readDomainInfo,
  readDomains,
  readDomainStats,
  readVersion,
  readXml,
} from "../../src/libvirt/replies.ts";
import { TypedParameterDecoder, writeTypedParameters } from "../../src/libvirt/typed-parameters.ts";
import type { TypedValue } from "../../src/libvirt/types.ts";
import { readRemoteError, writeDomain, writeRemoteError } from "../../src/libvirt/wire-types.ts";
import type { XdrReader, XdrWriter } from "../../src/libvirt/xdr.ts";
import { eventPacket } from "../../src/simulator/event-packet.ts";
import { assertCheap } from "../support/cpu-time.ts";

const PACKETS = 250_000;
const SEED = Number(process.env["FUZZ_SEED"] ?? 20_261_124);
/** Limit of the memory growth. Generous, because it includes garbage that is not collected yet. */
const GROWTH_BYTES = 256 * 1024 * 1024;
/** Words near the limits that decoders check. */
const WORDS = [
  0,
  1,
  3,
  4,
  27,
  28,
  80,
  81,
  16_384,
  262_144,
  262_145,
  2 ** 22,
  2 ** 25 + 5,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
];

interface Reply {
  readonly packet: Buffer;
  readonly read: (payload: XdrReader, limits?: PeerLimits) => unknown;
}

const parameters = new TypedParameterDecoder();
const DOMAIN = { name: "default_web", uuid: "6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a01", id: 3 };
const PARAMS = new Map<string, TypedValue>([
  ["state.state", 1],
  ["cpu.time", 2n ** 53n + 1n],
  ["balloon.current", 1_048_576n],
  ["balloon.last-update", -1n],
  ["net.count", 1],
  ["net.0.name", "tap-web"],
  ["net.0.rx.bytes", 2n ** 64n - 1n],
  ["block.count", 1],
  ["block.0.path", "/var/run/kubevirt-private/disks/root.img"],
  ["block.0.wr.reqs", 256n],
  ["load", 0.5],
  ["vcpu.0.halted", true],
]);

/** One event of each kind, with values for all kinds. */
const EVENTS = (Object.keys(DOMAIN_EVENT) as DomainEventName[]).map((name) => {
  const numbers = {
    LIFECYCLE: [5, 0],
    AGENT_LIFECYCLE: [1, 2],
    BLOCK_JOB_2: [2, 0],
    REBOOT: [],
    MEMORY_FAILURE: [1, 1, 0],
  };
  const ofKind = (numbers as Partial<Record<DomainEventName, number[]>>)[name] ?? [1];
  return {
    name,
    domain: DOMAIN,
    numbers: name === "BLOCK_THRESHOLD" ? [4_096, 512] : ofKind,
    device: "vda",
    params: PARAMS,
  };
});

/** Every payload that a daemon sends, with its reader. */
const REPLIES: readonly Reply[] = [
  reply(readAuthTypes, (writer) => writer.array([0, 2], (type) => writer.uint(type))),
  reply(readVersion, (writer) => writer.uhyper(9_000_000n)),
  reply(readDomains, (writer) => {
    const domains = [DOMAIN, DOMAIN, DOMAIN];
    writer.array(domains, (domain) => {
      writeDomain(writer, domain);
    });
    writer.uint(domains.length);
  }),
  reply(
    (payload, limits) => finish(readDomainStats(payload, parameters, limits)),
    (writer) => {
      writer.array([1, 2, 3], () => {
        writeDomain(writer, DOMAIN);
        writeTypedParameters(writer, PARAMS);
      });
    },
  ),
  reply(
    (payload) => finish(readXml(payload)),
    (writer) => writer.string(`<domain>${"<disk/>".repeat(50)}</domain>`),
  ),
  reply(readDomainInfo, (writer) => writer.uint(1).uhyper(4096n).uhyper(2048n).uint(4).uhyper(77n)),
  reply(
    (payload, limits) => readCpuStats(payload, parameters, limits),
    (writer) => {
      writeTypedParameters(writer, PARAMS);
      writer.int(3);
    },
  ),
  reply(readControlInfo, (writer) => writer.uint(2).uint(0).uhyper(31_000n)),
  ...EVENTS.map((event) => {
    const { procedure } = DOMAIN_EVENT[event.name];
    return {
      packet: eventPacket(event),
      read: (payload: XdrReader) => readDomainEvent(procedure, payload, parameters),
    };
  }),
  reply(
    (payload) => readRemoteError(payload, "DOMAIN_GET_XML_DESC"),
    (writer) => {
      writeRemoteError(writer, 42, "Domain not found: no domain with matching uuid");
    },
  ),
];

function reply(read: Reply["read"], write: (writer: XdrWriter) => unknown): Reply {
  const header = { program: PROGRAM.REMOTE, procedure: 1, type: MESSAGE_TYPE.REPLY, serial: 1, status: STATUS.OK };
  return { packet: encodePacket(header, (writer) => void write(writer)), read };
}

/** Returns a generator for a seed (xorshift32). `below(n)` returns 0 to n-1. */
function generator(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function pick<Item>(items: readonly Item[], below: (limit: number) => number): Item {
  const item = items[below(items.length)];
  assert.ok(item !== undefined);
  return item;
}

/** Returns the offset of a random word of a packet. */
function word(packet: Buffer, below: (limit: number) => number): number {
  return 4 * below(Math.floor(packet.length / 4));
}

type Mutation = (packet: Buffer, below: (limit: number) => number) => Buffer;

const MUTATIONS: readonly Mutation[] = [
  function flipBits(packet, below) {
    for (let flips = 1 + below(8); flips > 0; flips--) {
      const at = below(packet.length);
      packet.writeUInt8(packet.readUInt8(at) ^ (1 << below(8)), at);
    }
    return packet;
  },
  function truncate(packet, below) {
    return packet.subarray(0, below(packet.length));
  },
  function changeALength(packet, below) {
    packet.writeUInt32BE(pick(WORDS, below), word(packet, below));
    return packet;
  },
  function splice(packet, below) {
    const other = pick(REPLIES, below).packet;
    return Buffer.concat([packet.subarray(0, word(packet, below)), other.subarray(word(other, below))]);
  },
  function repeatAPart(packet, below) {
    const from = word(packet, below);
    return Buffer.concat([packet, packet.subarray(from), packet.subarray(from)]);
  },
];

/** Corrects the length word. Without it, few mutants get past the assembler. */
function withTrueLength(packet: Buffer): Buffer {
  if (packet.length >= 4) packet.writeUInt32BE(packet.length, 0);
  return packet;
}

/** Calls `decode` with mutants of the replies, and asserts that each is a reply or an error with one of these codes. */
function fuzz(
  t: TestContext,
  codes: readonly string[],
  decode: (mutant: Buffer, read: Reply["read"], count: number) => boolean,
): void {
  t.diagnostic(`FUZZ_SEED=${SEED}`);
  const below = generator(SEED);
  const before = process.memoryUsage();
  let answers = 0;
  let faults = 0;
  for (let count = 0; count < PACKETS; count++) {
    const { packet, read } = pick(REPLIES, below);
    let mutant = pick(MUTATIONS, below)(Buffer.from(packet), below);
    if (below(4) === 0)
      mutant = pick(MUTATIONS, below)(mutant.length < 4 ? Buffer.from(packet) : Buffer.from(mutant), below);
    if (below(8) !== 0) mutant = withTrueLength(mutant);
    try {
      if (decode(mutant, read, count)) answers++;
    } catch (error) {
      if (!(error instanceof LibvirtError && codes.includes(error.code))) {
        assert.fail(
          `packet ${count}, ${mutant.toString("hex")}: ${error instanceof Error ? String(error.stack) : String(error)}`,
        );
      }
      faults++;
    }
    if (count % 10_000 === 0) assertBounded(before, count);
  }
  assertBounded(before, PACKETS);
  t.diagnostic(`${answers} replies, ${faults} errors, the others are incomplete`);
  assert.ok(faults > PACKETS / 5, "too few mutants reach the decoders");
  assert.ok(answers > PACKETS / 50, "too few mutants pass the decoders");
}

/** Returns whether the bytes are a reply. */
function decodes(bytes: Buffer, read: Reply["read"], limits: PeerLimits = PROTOCOL_LIMITS): boolean {
  let answers = 0;
  const assembler = new PacketAssembler((_header, payload) => {
    read(payload, limits);
    payload.expectEnd();
    answers++;
  }, limits);
  assembler.push(bytes);
  return answers > 0;
}

void test(`${PACKETS} mutated packets are replies or protocol errors, in bounded memory`, (t) => {
  fuzz(t, ["E_LIBVIRT_PROTOCOL"], (mutant, read) => decodes(mutant, read));
});

void test(`${PACKETS} mutated packets of a launcher are decoded or rejected, each in 50 ms of CPU`, (t) => {
  fuzz(t, ["E_LIBVIRT_PROTOCOL", "E_LIBVIRT_LIMIT"], (mutant, read, count) => {
    let isReply = false;
    let fault: unknown;
    assertCheap(
      () => {
        try {
          isReply = decodes(mutant, read, LAUNCHER_BUDGET);
        } catch (error) {
          fault = error;
        }
      },
      () => `packet ${count}, ${mutant.toString("hex")}`,
    );
    if (fault instanceof Error) throw fault;
    return isReply;
  });
});

function assertBounded(before: NodeJS.MemoryUsage, count: number): void {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  const grown = heapUsed - before.heapUsed + (arrayBuffers - before.arrayBuffers);
  assert.ok(grown < GROWTH_BYTES, `after ${count} packets memory has grown by ${grown} bytes`);
}

void test("the unchanged packets are replies", () => {
  for (const { packet, read } of REPLIES) {
    let answers = 0;
    new PacketAssembler((_header, payload) => {
      read(payload);
      answers++;
    }).push(packet);
    assert.equal(answers, 1);
  }
});
