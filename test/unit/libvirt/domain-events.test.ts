import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readDomainEvent } from "../../../src/libvirt/domain-events.ts";
import { LibvirtError } from "../../../src/libvirt/errors.ts";
import { PacketAssembler } from "../../../src/libvirt/packet.ts";
import { DOMAIN_EVENT, type DomainEventName } from "../../../src/libvirt/protocol.ts";
import { TypedParameterDecoder } from "../../../src/libvirt/typed-parameters.ts";
import type { DomainEvent } from "../../../src/libvirt/types.ts";
import { XdrReader } from "../../../src/libvirt/xdr.ts";
import { eventPacket } from "../../../src/simulator/event-packet.ts";

const DOMAIN = { name: "default_web", uuid: "6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a01", id: 3 };

/** Returns what the client reads from the message of an event, and checks that it reads all of it. */
function roundTrip(event: DomainEvent): DomainEvent | undefined {
  let read: DomainEvent | undefined;
  new PacketAssembler(({ procedure }, payload) => {
    read = readDomainEvent(procedure, payload, new TypedParameterDecoder());
    payload.expectEnd();
  }).push(eventPacket(event));
  return read;
}

const EXAMPLES: readonly DomainEvent[] = [
  { name: "LIFECYCLE", domain: DOMAIN, numbers: [5, 2] },
  { name: "REBOOT", domain: DOMAIN, numbers: [] },
  { name: "WATCHDOG", domain: DOMAIN, numbers: [2] },
  { name: "IO_ERROR_REASON", domain: DOMAIN, device: "ua-root", numbers: [1], reason: "enospc" },
  { name: "BALLOON_CHANGE", domain: DOMAIN, numbers: [1_048_576] },
  { name: "DEVICE_REMOVED", domain: DOMAIN, device: "net1", numbers: [] },
  { name: "BLOCK_JOB_2", domain: DOMAIN, device: "vda", numbers: [2, 0] },
  { name: "AGENT_LIFECYCLE", domain: DOMAIN, numbers: [1, 2] },
  { name: "DEVICE_ADDED", domain: DOMAIN, device: "virtio-disk1", numbers: [] },
  { name: "MIGRATION_ITERATION", domain: DOMAIN, numbers: [4] },
  { name: "JOB_COMPLETED", domain: DOMAIN, numbers: [], params: new Map<string, number | bigint>([["downtime", 41n]]) },
  { name: "BLOCK_THRESHOLD", domain: DOMAIN, device: "vda", numbers: [1 << 20, 512] },
  { name: "MEMORY_FAILURE", domain: DOMAIN, numbers: [1, 3, 0] },
];

test("each kind of event is read whole", () => {
  assert.deepEqual(
    EXAMPLES.map(({ name }) => name),
    Object.keys(DOMAIN_EVENT),
  );
  for (const event of EXAMPLES) assert.deepEqual(roundTrip(event), event);
});

test("a message of another procedure is no event", () => {
  assert.equal(readDomainEvent(999, new XdrReader(Buffer.alloc(0)), new TypedParameterDecoder()), undefined);
});

test("any bytes are an event or an error of the protocol", () => {
  const names = Object.keys(DOMAIN_EVENT) as DomainEventName[];
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.uint8Array({ maxLength: 200 }), (name, bytes) => {
      try {
        readDomainEvent(DOMAIN_EVENT[name].procedure, new XdrReader(Buffer.from(bytes)), new TypedParameterDecoder());
      } catch (error) {
        assert.ok(error instanceof LibvirtError, String(error));
      }
    }),
  );
});
