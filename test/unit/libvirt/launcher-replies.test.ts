import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LAUNCHER_BUDGET } from "../../../src/budget.ts";
import { finish } from "../../../src/libvirt/decode-queue.ts";
import { LibvirtError } from "../../../src/libvirt/errors.ts";
import { statsLimits } from "../../../src/libvirt/limits.ts";
import { STATS_GROUP } from "../../../src/libvirt/protocol.ts";
import { readDomains, readDomainStats, readVcpus, readXml } from "../../../src/libvirt/replies.ts";
import { TypedParameterDecoder } from "../../../src/libvirt/typed-parameters.ts";
import { readRemoteError, writeDomain } from "../../../src/libvirt/wire-types.ts";
import { XdrReader, XdrWriter } from "../../../src/libvirt/xdr.ts";
import { assertCheap } from "../../support/cpu-time.ts";

const DOMAIN = { name: "tenant_web", uuid: "6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a01", id: 1 };
const { packetBytes, parameters } = LAUNCHER_BUDGET;
/** Bytes of the largest payload, less than those of one parameter for what follows. */
const LARGEST = packetBytes - 28 - 200;

type WriteParameter = (writer: XdrWriter, index: number) => void;

/** Returns statistics with as many of these parameters as a launcher may send. */
function statistics(write: WriteParameter): Buffer {
  const writer = new XdrWriter().uint(1);
  writeDomain(writer, DOMAIN);
  const at = writer.length;
  writer.uint(0);
  let count = 0;
  for (; count < parameters && writer.length < LARGEST; count++) write(writer, count);
  writer.patchUint(at, count);
  return writer.bytes();
}

/** Names of 30 characters with the same hash in the decoder's table: "Aa" and "BB" are equal there. */
function collidingName(index: number): string {
  return Array.from({ length: 15 }, (_, bit) => ((index >> bit) & 1 ? "Aa" : "BB")).join("");
}

const WORST: Readonly<Record<string, WriteParameter>> = {
  "integers with new names": (writer, index) => writer.string(`f${index}`).uint(1).int(index),
  "large counters": (writer, index) =>
    writer
      .string(`f${index}`)
      .uint(4)
      .uhyper(2n ** 63n + BigInt(index)),
  doubles: (writer, index) =>
    writer
      .string(`f${index}`)
      .uint(5)
      .double(index / 3),
  "empty strings": (writer, index) => writer.string(`f${index}`).uint(7).string(""),
  "empty names": (writer) => writer.string("").uint(1).int(1),
  "strings that are not ASCII": (writer, index) => writer.string(`f${index}`).uint(7).string("ü".repeat(18)),
  "long names": (writer, index) =>
    writer
      .string(`${"x".repeat(70)}${index}`)
      .uint(1)
      .int(1),
  "long names that are not ASCII": (writer, index) =>
    writer
      .string(`${"中".repeat(24)}${index}`)
      .uint(1)
      .int(1),
  "names that collide": (writer, index) => writer.string(collidingName(index)).uint(1).int(1),
  "names of digits that collide": (writer, index) =>
    writer
      .string(String(index * 65_536))
      .uint(1)
      .int(1),
  "one long string": (writer, index) =>
    writer
      .string(`s${index}`)
      .uint(7)
      .string("中".repeat(index === 0 ? 170_000 : 0)),
};

for (const [what, write] of Object.entries(WORST)) {
  test(`the largest reply with ${what} is decoded in 50 ms of CPU`, () => {
    const bytes = statistics(write);
    assert.ok(bytes.length <= packetBytes - 28, String(bytes.length));
    assertCheap(
      () => finish(readDomainStats(new XdrReader(bytes), new TypedParameterDecoder(), LAUNCHER_BUDGET)),
      () => what,
    );
  });
}

/** What KVM on an Intel host reports for each vCPU, as `virsh domstats --vcpu` of libvirt 10 prints it. */
const VCPU_STATS = [
  ...["state", "time", "wait", "delay", "blocking.cur", "guest_mode.cur"],
  ...[
    ...["directed_yield_attempted", "directed_yield_successful", "exits", "fpu_reload", "halt_attempted_poll"],
    ...["halt_exits", "halt_poll_fail_ns", "halt_poll_invalid", "halt_poll_success_ns", "halt_successful_poll"],
    ...["halt_wait_ns", "halt_wakeup", "host_state_reload", "hypercalls", "insn_emulation", "insn_emulation_fail"],
    ...["invlpg", "io_exits", "irq_exits", "irq_injections", "irq_window_exits", "l1d_flush", "mmio_exits"],
    ...["nested_run", "nmi_injections", "nmi_window_exits", "notify_window_exits", "pf_emulate", "pf_fast", "pf_fixed"],
    ...["pf_guest", "pf_mmio_spte_created", "pf_spurious", "pf_taken", "preemption_other", "preemption_reported"],
    ...["req_event", "request_irq_exits", "signal_exits", "tlb_flush"],
  ].map((name) => `${name}.sum`),
];

test("the statistics of a VM with 250 disks, 20 NICs and 256 vCPUs are within the budget", () => {
  const writer = new XdrWriter().uint(1);
  writeDomain(writer, DOMAIN);
  const vcpus = Array.from({ length: 256 }, (_, vcpu) => VCPU_STATS.map((name) => `vcpu.${vcpu}.${name}`)).flat();
  const names = [...vcpus, ...Array.from({ length: 3_705 }, (_, index) => `block.100.rd.bytes and ${index}`)];
  writer.uint(names.length);
  for (const name of names) writer.string(name).uint(4).uhyper(1n);
  const bytes = writer.uint(0).bytes();
  assert.ok(bytes.length <= packetBytes - 28, String(bytes.length));
  const limits = statsLimits(LAUNCHER_BUDGET, STATS_GROUP.VCPU);
  const [stats] = finish(readDomainStats(new XdrReader(bytes), new TypedParameterDecoder(), limits));
  assert.equal(stats?.params.size, names.length);
  const without = statsLimits(LAUNCHER_BUDGET, STATS_GROUP.BLOCK);
  const reply = readDomainStats(new XdrReader(bytes), new TypedParameterDecoder(), without);
  assert.throws(() => finish(reply), { code: "E_LIBVIRT_LIMIT" });
});

const OTHERS: Readonly<Record<string, readonly [Buffer, (reader: XdrReader) => unknown]>> = {
  "a domain with the longest name": [
    (() => {
      const writer = new XdrWriter().uint(1);
      writeDomain(writer, { ...DOMAIN, name: "ü".repeat(LARGEST / 2) });
      return writer.uint(1).bytes();
    })(),
    (reader) => readDomains(reader, LAUNCHER_BUDGET),
  ],
  "the longest XML": [
    new XdrWriter().string("中".repeat(LARGEST / 3)).bytes(),
    (reader: XdrReader) => finish(readXml(reader)),
  ],
  "the most vCPUs": [
    (() => {
      const writer = new XdrWriter().uint(4_096);
      for (let number = 0; number < 4_096; number++) writer.uint(number).int(1).uhyper(1n).int(0);
      return writer.uint(0).bytes();
    })(),
    readVcpus,
  ],
  "the longest error": [
    new XdrWriter()
      .int(1)
      .int(1)
      .bool(true)
      .string("\u202e".repeat(LARGEST / 3))
      .bytes(),
    (reader) => readRemoteError(reader, "CONNECT_OPEN"),
  ],
};

for (const [what, [bytes, read]] of Object.entries(OTHERS)) {
  test(`a reply with ${what} is decoded in 50 ms of CPU`, () => {
    assertCheap(
      () => void read(new XdrReader(bytes)),
      () => what,
    );
  });
}

test("random statistics are decoded, malformed or over a limit, each in 50 ms of CPU", () => {
  const word = fc.constantFrom(0, 1, 2, 7, 80, 16_384, 16_385, 262_144, 2 ** 32 - 1);
  const bytes = fc.array(fc.oneof(word, fc.nat()), { maxLength: 5_000 }).map((words) => {
    const writer = new XdrWriter().uint(1);
    writeDomain(writer, DOMAIN);
    for (const value of words) writer.uint(value);
    return writer.bytes();
  });
  fc.assert(
    fc.property(bytes, (payload) => {
      assertCheap(
        () => {
          try {
            finish(readDomainStats(new XdrReader(payload), new TypedParameterDecoder(), LAUNCHER_BUDGET));
          } catch (error) {
            assert.ok(error instanceof LibvirtError, String(error));
          }
        },
        () => payload.toString("hex"),
      );
    }),
  );
});
