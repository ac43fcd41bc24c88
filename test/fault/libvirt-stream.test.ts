import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { LibvirtClient } from "../../src/libvirt/client.ts";
import { LibvirtError, type LibvirtErrorCode } from "../../src/libvirt/errors.ts";
import { encodePacket } from "../../src/libvirt/packet.ts";
import { DOMAIN_EVENT, KEEPALIVE, LIMIT, MESSAGE_TYPE, PROGRAM, STATUS } from "../../src/libvirt/protocol.ts";
import { writeTypedParameters } from "../../src/libvirt/typed-parameters.ts";
import { writeDomain } from "../../src/libvirt/wire-types.ts";
import type { XdrWriter } from "../../src/libvirt/xdr.ts";
import { openPeer, startPeer, type PeerCall } from "../support/libvirt-peer.ts";

const SOON = { deadlineMs: 50 };
const LATER = { deadlineMs: 10_000 };
const DOMAIN = { name: "web", uuid: "6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a01", id: 1 };

function failsWith(code: LibvirtErrorCode, message = /./): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof LibvirtError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
}

function writeList(writer: XdrWriter, names: readonly string[] = ["web"]): void {
  writer
    .array(names, (name) => {
      writeDomain(writer, { ...DOMAIN, name });
    })
    .uint(names.length);
}

/** Asserts that a bad reply to a list call fails all calls with this code and ends the connection. */
async function assertEndsConnection(
  t: TestContext,
  badReply: (call: PeerCall) => void,
  code: LibvirtErrorCode,
  message?: RegExp,
): Promise<void> {
  const { client } = await openPeer(t, { CONNECT_LIST_ALL_DOMAINS: badReply, DOMAIN_GET_INFO: () => undefined });
  const otherCall = client.domainInfo(DOMAIN, LATER);
  otherCall.catch(() => undefined);
  await assert.rejects(client.listDomains(1, LATER), failsWith(code, message));
  await assert.rejects(otherCall, LibvirtError);
  assert.equal(client.isOpen, false);
  assert.equal((await client.closed)?.code, code);
  await assert.rejects(client.listDomains(1, LATER), failsWith("E_LIBVIRT_CLOSED"));
}

for (const length of [0, 27, 0xffff_ffff]) {
  void test(`a packet that claims ${length} bytes ends the connection`, (t) =>
    assertEndsConnection(
      t,
      ({ socket }) => {
        const packet = Buffer.alloc(64);
        packet.writeUInt32BE(length);
        socket.write(packet);
      },
      "E_LIBVIRT_PROTOCOL",
      new RegExp(`claims ${length} bytes`),
    ));
}

void test("a truncated reply in a complete packet ends the connection", (t) =>
  assertEndsConnection(
    t,
    (call) => {
      call.reply((writer) => writer.uint(1).string("web"));
    },
    "E_LIBVIRT_PROTOCOL",
  ));

void test("bytes after a reply end the connection", (t) =>
  assertEndsConnection(
    t,
    (call) => {
      call.reply((writer) => {
        writeList(writer);
        writer.uint(0);
      });
    },
    "E_LIBVIRT_PROTOCOL",
    /4 bytes are left over/,
  ));

void test("a reply with an unknown serial ends the connection", (t) =>
  assertEndsConnection(
    t,
    ({ socket, answer }) => void socket.write(answer(writeList, { serial: 999 })),
    "E_LIBVIRT_PROTOCOL",
    /serial 999/,
  ));

void test("a reply to another procedure ends the connection", (t) =>
  assertEndsConnection(
    t,
    ({ socket, answer }) => void socket.write(answer(writeList, { procedure: 14 })),
    "E_LIBVIRT_PROTOCOL",
  ));

void test("a reply with the status of a stream packet ends the connection", (t) =>
  assertEndsConnection(
    t,
    ({ socket, answer }) => void socket.write(answer(writeList, { status: STATUS.CONTINUE })),
    "E_LIBVIRT_PROTOCOL",
  ));

void test("a stream packet ends the connection", (t) =>
  assertEndsConnection(
    t,
    ({ socket, answer }) => void socket.write(answer(writeList, { type: 3 })),
    "E_LIBVIRT_PROTOCOL",
    /message type is 3/,
  ));

void test("a daemon that disconnects within a packet ends the connection", (t) =>
  assertEndsConnection(
    t,
    ({ socket, answer }) => void socket.end(answer(writeList).subarray(0, 40)),
    "E_LIBVIRT_CLOSED",
  ));

void test("a field name of 65,536 bytes ends the connection", async (t) => {
  const { client } = await openPeer(t, {
    CONNECT_GET_ALL_DOMAIN_STATS: (call) => {
      call.reply((writer) => {
        writer.uint(1);
        writeDomain(writer, DOMAIN);
        writeTypedParameters(writer, new Map([["x".repeat(65_536), 1]]));
      });
    },
  });
  await assert.rejects(
    client.allDomainStats({ groups: 1, flags: 1 }, LATER),
    failsWith("E_LIBVIRT_PROTOCOL", /65536 bytes, more than 80/),
  );
});

void test("a domain name of 65,536 characters is read completely", async (t) => {
  const name = "ü".repeat(65_536);
  const { client } = await openPeer(t, {
    CONNECT_LIST_ALL_DOMAINS: (call) => {
      call.reply((writer) => {
        writeList(writer, [name]);
      });
    },
  });
  assert.deepEqual(await client.listDomains(1, LATER), [{ ...DOMAIN, name }]);
});

void test("counters above 2^53 are exact", async (t) => {
  const params = new Map([2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 64n - 1n].map((value) => [`c.${value}`, value]));
  const { client } = await openPeer(t, {
    CONNECT_GET_ALL_DOMAIN_STATS: (call) => {
      call.reply((writer) => {
        writer.uint(1);
        writeDomain(writer, DOMAIN);
        writeTypedParameters(writer, params);
      });
    },
  });
  assert.deepEqual(await client.allDomainStats({ groups: 1, flags: 1 }, LATER), [{ domain: DOMAIN, params }]);
});

void test("a reply that arrives byte by byte is read", async (t) => {
  const { client } = await openPeer(t, {
    CONNECT_LIST_ALL_DOMAINS: ({ socket, answer }) => {
      void trickle(socket, answer(writeList));
    },
  });
  assert.deepEqual(await client.listDomains(1, LATER), [DOMAIN]);
});

async function trickle(socket: Socket, bytes: Buffer): Promise<void> {
  for (const byte of bytes) {
    socket.write(Buffer.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

void test("single bytes do not extend the deadline", async (t) => {
  const { client } = await openPeer(t, {
    CONNECT_LIST_ALL_DOMAINS: ({ socket, answer }) => {
      const bytes = answer(writeList);
      let at = 0;
      const timer = setInterval(() => void socket.write(bytes.subarray(at, ++at)), 30);
      socket.on("close", () => {
        clearInterval(timer);
      });
    },
  });
  await assert.rejects(client.listDomains(1, { deadlineMs: 200 }), failsWith("E_LIBVIRT_TIMEOUT"));
});

void test("a ping is answered while a call is outstanding", async (t) => {
  const pong = Promise.withResolvers<{ readonly program: number; readonly procedure: number }>();
  const ping = encodePacket({
    program: PROGRAM.KEEPALIVE,
    procedure: KEEPALIVE.PING,
    type: MESSAGE_TYPE.MESSAGE,
    serial: 0,
    status: STATUS.OK,
  });
  const handlers = {
    CONNECT_LIST_ALL_DOMAINS: ({ socket, answer }: PeerCall) => {
      socket.write(ping);
      void pong.promise.then(() => socket.write(answer(writeList)));
    },
  };
  const peer = await startPeer(t, handlers, pong.resolve);
  using client = await LibvirtClient.open(peer.socketPath, LATER);
  assert.deepEqual(await client.listDomains(1, LATER), [DOMAIN]);
  const { program, procedure } = await pong.promise;
  assert.deepEqual({ program, procedure }, { program: PROGRAM.KEEPALIVE, procedure: KEEPALIVE.PONG });
});

void test("an event of an unknown kind is ignored", async (t) => {
  const { client } = await openPeer(t, {
    CONNECT_LIST_ALL_DOMAINS: ({ socket, answer }) => {
      socket.write(answer((writer) => writer.int(1), { procedure: 390, type: MESSAGE_TYPE.MESSAGE, serial: 0 }));
      socket.write(answer(writeList));
    },
  });
  assert.deepEqual(await client.listDomains(1, LATER), [DOMAIN]);
});

void test("an event reaches the listener", async (t) => {
  const { client } = await openPeer(t, {
    CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY: ({ socket, answer }) => {
      socket.write(answer((writer) => writer.int(7)));
      const event = (writer: XdrWriter): void => {
        writer.int(7);
        writeDomain(writer, DOMAIN);
        writer.int(5).int(1);
      };
      socket.write(answer(event, { procedure: 318, type: MESSAGE_TYPE.MESSAGE, serial: 0 }));
    },
  });
  const event = await new Promise((resolve, reject) => {
    client.subscribe(["LIFECYCLE"], resolve, LATER).catch(reject);
  });
  assert.deepEqual(event, { name: "LIFECYCLE", domain: DOMAIN, numbers: [5, 1] });
});

void test("a daemon that does not know an event sends the others", async (t) => {
  const { client, peer } = await openPeer(t, {
    CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY: ({ payload, fail, reply }) => {
      if (payload.int() === DOMAIN_EVENT.MEMORY_FAILURE.id) fail(8, "unsupported event ID");
      else reply((writer) => writer.int(1));
    },
  });
  await client.subscribe(["MEMORY_FAILURE", "REBOOT"], () => undefined, LATER);
  assert.equal(peer.received.filter((name) => name.endsWith("REGISTER_ANY")).length, 2);
});

void test("a daemon that sends no event at all rejects the subscription", async (t) => {
  const { client } = await openPeer(t, {
    CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY: ({ fail }) => {
      fail(88, "access denied");
    },
  });
  const subscribed = client.subscribe(["MEMORY_FAILURE", "REBOOT"], () => undefined, LATER);
  await assert.rejects(subscribed, failsWith("E_LIBVIRT_REMOTE", /access denied/));
  assert.ok(client.isOpen);
});

void test("an event with a name of megabytes ends the connection", async (t) => {
  const { client } = await openPeer(t, {
    CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY: ({ socket, answer }) => {
      socket.write(answer((writer) => writer.int(1)));
      const event = (writer: XdrWriter): void => {
        writer.int(1);
        writeDomain(writer, DOMAIN);
        writer.string("a".repeat(1 << 20));
      };
      const { procedure } = DOMAIN_EVENT.DEVICE_ADDED;
      socket.write(answer(event, { procedure, type: MESSAGE_TYPE.MESSAGE, serial: 0 }));
    },
  });
  await client.subscribe(["DEVICE_ADDED"], () => assert.fail("it was passed on"), LATER);
  assert.equal((await client.closed)?.code, "E_LIBVIRT_PROTOCOL");
});

void test("a claimed length of 32 MiB without more bytes ends at the deadline", async (t) => {
  const { client } = await openPeer(t, {
    CONNECT_LIST_ALL_DOMAINS: ({ socket }) => {
      const word = Buffer.alloc(4);
      word.writeUInt32BE(LIMIT.PACKET_MAX);
      socket.write(word);
    },
  });
  await assert.rejects(client.listDomains(1, SOON), failsWith("E_LIBVIRT_TIMEOUT", /CONNECT_LIST_ALL_DOMAINS/));
});
