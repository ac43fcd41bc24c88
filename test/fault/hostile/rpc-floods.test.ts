// Launchers that send what no call has requested, over libvirt's RPC on unix sockets.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { LibvirtClient } from "../../../src/libvirt/client.ts";
import { encodePacket } from "../../../src/libvirt/packet.ts";
import { SharedLimits } from "../../../src/libvirt/peer.ts";
import { KEEPALIVE, MESSAGE_TYPE, PROGRAM, STATUS } from "../../../src/libvirt/protocol.ts";
import { writeDomain } from "../../../src/libvirt/wire-types.ts";
import type { XdrWriter } from "../../../src/libvirt/xdr.ts";
import { openPeer, type Handlers } from "../../support/libvirt-peer.ts";
import { exceeds, launcher } from "../../support/limited-launcher.ts";

const LATER = { deadlineMs: 10_000 };
const DOMAIN = { name: "tenant_web", uuid: "6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a01", id: 1 };

const FLOODS: Readonly<Record<string, { readonly header: object; readonly payload?: (writer: XdrWriter) => void }>> = {
  pings: { header: { program: PROGRAM.KEEPALIVE, procedure: KEEPALIVE.PING } },
  pongs: { header: { program: PROGRAM.KEEPALIVE, procedure: KEEPALIVE.PONG } },
  "keepalive messages of an unknown kind": { header: { program: PROGRAM.KEEPALIVE, procedure: 77 } },
  "lifecycle events": {
    header: { procedure: 318 },
    payload: (writer) => {
      writer.int(7);
      writeDomain(writer, DOMAIN);
      writer.int(5).int(1);
    },
  },
  "events of an unknown kind": { header: { procedure: 999_999 } },
  "events that are too short": { header: { procedure: 1 }, payload: (writer) => writer.int(0) },
};

function floodPacket({ header, payload }: (typeof FLOODS)[string]): Buffer {
  const message = { program: PROGRAM.REMOTE, procedure: 0, type: MESSAGE_TYPE.MESSAGE, serial: 0, status: STATUS.OK };
  return encodePacket({ ...message, ...header }, payload);
}

/** Opens a launcher that answers a list call after it has sent these bytes. */
function openFlood(t: TestContext, bytes: Buffer, now: () => number) {
  return openPeer(
    t,
    {
      CONNECT_LIST_ALL_DOMAINS: (call) => {
        call.socket.write(bytes);
        call.reply((writer) => writer.uint(0).uint(0));
      },
    },
    launcher(new SharedLimits(32 << 20), now),
  );
}

for (const [what, flood] of Object.entries(FLOODS)) {
  test(`a launcher may send 600 ${what} in a minute, and one more ends the connection`, async (t) => {
    let now = 0;
    const packet = floodPacket(flood);
    const { client } = await openFlood(t, Buffer.concat(Array.from({ length: 600 }, () => packet)), () => now);
    assert.deepEqual(await client.listDomains(1, LATER), []);
    now = 60_000;
    assert.deepEqual(await client.listDomains(1, LATER), []);
    now = 119_999;
    await assert.rejects(client.listDomains(1, LATER), exceeds("UnaskedPackets"));
  });
}

test("a flood that is spread over new connections is counted together", async (t) => {
  const peer = launcher(new SharedLimits(32 << 20), () => 0);
  const bytes = Buffer.concat(Array.from({ length: 400 }, () => floodPacket({ header: { procedure: 1 } })));
  const handlers: Handlers = {
    CONNECT_LIST_ALL_DOMAINS: (call) => {
      call.socket.write(bytes);
      call.reply((writer) => writer.uint(0).uint(0));
    },
  };
  const { client, peer: daemon } = await openPeer(t, handlers, peer);
  assert.deepEqual(await client.listDomains(1, LATER), []);
  using again = await LibvirtClient.open(daemon.socketPath, { ...LATER, peer });
  await assert.rejects(again.listDomains(1, LATER), exceeds("UnaskedPackets"));
});

test("large unasked packets count as several", async (t) => {
  const packet = floodPacket({ header: { procedure: 1 }, payload: (writer) => writer.string("x".repeat(500_000)) });
  const { client } = await openFlood(t, Buffer.concat(Array<Buffer>(6).fill(packet)), () => 0);
  await assert.rejects(client.listDomains(1, LATER), exceeds("UnaskedPackets"));
});

test("an answer in thousands of tiny pieces ends the connection", async (t) => {
  const { client } = await openPeer(
    t,
    {
      DOMAIN_GET_XML_DESC: ({ socket, answer: packetOf }) => {
        const bytes = packetOf((writer) => writer.string("x".repeat(20_000)));
        socket.setNoDelay();
        let at = 0;
        const next = (): void => {
          if (at >= bytes.length || socket.destroyed) return;
          // The client has read the piece before the next one is sent.
          socket.write(bytes.subarray(at, ++at), () => setImmediate(() => setImmediate(next)));
        };
        next();
      },
    },
    launcher(new SharedLimits(32 << 20), () => 0),
  );
  await assert.rejects(client.domainXml(DOMAIN, LATER), exceeds("UnaskedPackets"));
});
