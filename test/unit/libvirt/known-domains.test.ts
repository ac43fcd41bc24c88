import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KnownDomains } from "../../../src/libvirt/known-domains.ts";
import type { DomainRef } from "../../../src/libvirt/types.ts";
import { writeDomain } from "../../../src/libvirt/wire-types.ts";
import { XdrReader, XdrWriter } from "../../../src/libvirt/xdr.ts";

const UUID = "11111111-2222-3333-4444-55555555abcd";

function written(write: (writer: XdrWriter) => void): Buffer {
  const writer = new XdrWriter();
  write(writer);
  return Buffer.from(writer.bytes());
}

function readAll(known: KnownDomains, domains: readonly DomainRef[]): DomainRef[] {
  const reader = new XdrReader(
    written((writer) => {
      for (const domain of domains) writeDomain(writer, domain);
    }),
  );
  const read = domains.map((_, position) => known.read(reader, position));
  reader.expectEnd();
  return read;
}

// Few values, so that replies have the same domains, domains that are nearly the same, and the same ones in another order.
const DOMAIN: fc.Arbitrary<DomainRef> = fc
  .record({
    name: fc.constantFrom("", "a", "b", "ab", "vm-äöü", "n".repeat(600)),
    uuid: fc.constantFrom(UUID, UUID.replace("abcd", "abce")),
    id: fc.constantFrom(-1, 1, 2),
  })
  .map((domain) => ({ ...domain }));

test("reads and writes the domains of any replies as they are", () => {
  fc.assert(
    fc.property(fc.array(fc.array(DOMAIN, { maxLength: 4 })), (replies) => {
      const known = new KnownDomains();
      for (const domains of replies) {
        const read = readAll(known, domains);
        assert.deepEqual(read, domains);
        for (const domain of read)
          assert.deepEqual(
            written((writer) => {
              known.write(writer, domain);
            }),
            written((writer) => {
              writeDomain(writer, domain);
            }),
          );
      }
    }),
  );
});

test("returns the same object while a domain does not change", () => {
  const known = new KnownDomains();
  const domains = [
    { name: "a", uuid: UUID, id: 1 },
    { name: "b", uuid: UUID, id: 2 },
  ];
  const [first, second] = readAll(known, domains);
  const [again, other] = readAll(known, [
    { name: "a", uuid: UUID, id: 1 },
    { name: "b", uuid: UUID, id: 3 },
  ]);
  assert.equal(again, first);
  assert.notEqual(other, second);
});

test("does not keep a domain with a long name, or one behind the last position", () => {
  const known = new KnownDomains();
  const long = { name: "n".repeat(600), uuid: UUID, id: 1 };
  assert.notEqual(readAll(known, [long])[0], readAll(known, [long])[0]);
  const last = { name: "a", uuid: UUID, id: 1 };
  const read = (): DomainRef =>
    known.read(
      new XdrReader(
        written((writer) => {
          writeDomain(writer, last);
        }),
      ),
      1_024,
    );
  assert.notEqual(read(), read());
});

test("reads a domain whose name is not UTF-8", () => {
  const bytes = written((writer) => {
    writer.string("a").fixedOpaque(Buffer.alloc(16)).int(1);
  });
  bytes[4] = 0xff;
  const known = new KnownDomains();
  for (let reply = 0; reply < 2; reply++) assert.equal(known.read(new XdrReader(bytes), 0).name, "\ufffd");
});
