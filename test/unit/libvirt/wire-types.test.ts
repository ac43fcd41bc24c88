import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readDomain, readRemoteError, writeDomain, writeRemoteError } from "../../../src/libvirt/wire-types.ts";
import { XdrReader, XdrWriter } from "../../../src/libvirt/xdr.ts";
import { codePoint } from "../../support/code-point.ts";

void test("a written domain is read with the same name, UUID and id", () => {
  fc.assert(
    fc.property(
      fc.record({
        name: fc.string({ unit: codePoint }).filter((name) => name.isWellFormed()),
        uuid: fc.uuid(),
        id: fc.integer({ min: -1 }),
      }),
      (generated) => {
        const domain = { ...generated };
        const writer = new XdrWriter();
        writeDomain(writer, domain);
        const reader = new XdrReader(writer.bytes());
        assert.deepEqual(readDomain(reader), domain);
        reader.expectEnd();
      },
    ),
  );
});

void test("a domain is written as remote_nonnull_domain: name, 16 bytes of UUID, id", () => {
  const writer = new XdrWriter();
  writeDomain(writer, { name: "web", uuid: "00112233-4455-6677-8899-aabbccddeeff", id: -1 });
  assert.equal(writer.bytes().toString("hex"), `000000037765620000112233445566778899aabbccddeeffffffffff`);
});

function remoteError(message: string): Error & { libvirtCode: number | undefined } {
  const writer = new XdrWriter();
  writeRemoteError(writer, 42, message);
  return readRemoteError(new XdrReader(writer.bytes()), "DOMAIN_GET_XML_DESC");
}

void test("an error of the daemon has its number, its text and the name of the call", () => {
  const error = remoteError("Domain not found");
  assert.equal(error.libvirtCode, 42);
  assert.equal(error.message, "libvirt rejected DOMAIN_GET_XML_DESC: Domain not found");
});

void test("an error without a text has a message, and a long text is cut", () => {
  const silent = new XdrWriter().int(38).int(0).bool(false).bytes();
  assert.match(readRemoteError(new XdrReader(silent), "CONNECT_OPEN").message, /error 38 without a text/);
  assert.ok(remoteError("x".repeat(1_000_000)).message.length < 1_100);
});

void test("an error text has no characters that end a line or control a terminal", () => {
  const { message } = remoteError("no\nlevel=error\r\u001b[2J\u202e\u2028\u0000");
  assert.equal(message, "libvirt rejected DOMAIN_GET_XML_DESC: no?level=error??[2J???");
});

void test("a text that is cut within a character has no trace of the character", () => {
  assert.match(remoteError(`${"x".repeat(998)}\u4e2d\u4e2d`).message, /x\.\.\.$/);
});
