// Launchers that send more than their budget allows, over libvirt's RPC on unix sockets.
import assert from "node:assert/strict";
import { test } from "node:test";
import { LAUNCHER_BUDGET, REJECTION_REASONS } from "../../../src/budget.ts";
import { LibvirtClient } from "../../../src/libvirt/client.ts";
import type { PeerLimit } from "../../../src/libvirt/errors.ts";
import { SharedLimits } from "../../../src/libvirt/peer.ts";
import { LIMIT } from "../../../src/libvirt/protocol.ts";
import { writeTypedParameters } from "../../../src/libvirt/typed-parameters.ts";
import { writeDomain } from "../../../src/libvirt/wire-types.ts";
import { XdrWriter } from "../../../src/libvirt/xdr.ts";
import { openPeer, type Handlers, type PeerCall } from "../../support/libvirt-peer.ts";
import { exceeds, launcher } from "../../support/limited-launcher.ts";

const LATER = { deadlineMs: 10_000 };
const DOMAIN = { name: "tenant_web", uuid: "6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a01", id: 1 };
const ALL = { groups: 1, flags: 1 };

/** Writes statistics of one domain with many integers. */
function writeDense(writer: XdrWriter, parameters: number, name = (index: number) => `f${index}`): void {
  writer.uint(1);
  writeDomain(writer, DOMAIN);
  writer.uint(parameters);
  for (let index = 0; index < parameters; index++) writer.string(name(index)).uint(1).int(index);
}

test("each limit of a daemon is a rejection reason of the same name", () => {
  const limits: Record<PeerLimit, true> = {
    Domains: true,
    PacketBytes: true,
    Parameters: true,
    UnaskedPackets: true,
    Memory: true,
    SocketType: true,
  };
  for (const limit of Object.keys(limits))
    assert.ok(
      REJECTION_REASONS.some((reason) => reason === limit),
      limit,
    );
});

const OVERSIZE_CLAIMS = [LAUNCHER_BUDGET.packetBytes + 1, LIMIT.PACKET_MAX, LIMIT.PACKET_MAX + 1, 0xffff_ffff];
for (const claim of OVERSIZE_CLAIMS) {
  test(`a launcher's packet that claims ${claim} bytes ends the connection before they arrive`, async (t) => {
    const { client } = await openPeer(
      t,
      {
        CONNECT_LIST_ALL_DOMAINS: ({ socket }) => {
          socket.write(new XdrWriter().uint(claim).bytes());
        },
      },
      launcher(),
    );
    await assert.rejects(client.listDomains(1, LATER), exceeds("PacketBytes"));
    assert.equal((await client.closed)?.limit, "PacketBytes");
    // A call that follows shows the reason too.
    await assert.rejects(client.listDomains(1, LATER), exceeds("PacketBytes"));
  });
}

test("a packet of exactly the allowed size is read", async (t) => {
  const { client } = await openPeer(
    t,
    {
      DOMAIN_GET_XML_DESC: (call) => {
        call.reply((writer) => writer.string("x".repeat(LAUNCHER_BUDGET.packetBytes - 32)));
      },
    },
    launcher(),
  );
  assert.equal((await client.domainXml(DOMAIN, LATER)).length, LAUNCHER_BUDGET.packetBytes - 32);
});

const TOO_MANY: readonly [string, PeerLimit, Handlers, (client: LibvirtClient) => Promise<unknown>][] = [
  [
    "more parameters than allowed",
    "Parameters",
    {
      CONNECT_GET_ALL_DOMAIN_STATS: answer((writer) => {
        writeDense(writer, LAUNCHER_BUDGET.parameters + 1, () => "");
      }),
    },
    (client) => client.allDomainStats(ALL, LATER),
  ],
  [
    "two domains with statistics",
    "Domains",
    {
      CONNECT_GET_ALL_DOMAIN_STATS: answer((writer) => {
        writer.array([1, 2], () => {
          writeDomain(writer, DOMAIN);
          writeTypedParameters(writer, new Map());
        });
      }),
    },
    (client) => client.allDomainStats(ALL, LATER),
  ],
  [
    "8,192 domains",
    "Domains",
    {
      CONNECT_LIST_ALL_DOMAINS: answer((writer) => {
        writer.array(Array.from({ length: 8_192 }), () => {
          writeDomain(writer, DOMAIN);
        });
        writer.uint(8_192);
      }),
    },
    (client) => client.listDomains(1, LATER),
  ],
  [
    "CPU times with more parameters than allowed",
    "Parameters",
    {
      DOMAIN_GET_CPU_STATS: answer((writer) => {
        writer.uint(20_000);
        for (let index = 0; index < 20_000; index++) writer.string("").uint(1).int(1);
      }),
    },
    (client) => client.domainCpuStats(DOMAIN, LATER),
  ],
];

function answer(write: (writer: XdrWriter) => void): (call: PeerCall) => void {
  return (call) => {
    call.reply(write);
  };
}

for (const [what, limit, handlers, call] of TOO_MANY) {
  test(`a launcher that sends ${what} is ended for ${limit}`, async (t) => {
    const { client } = await openPeer(t, handlers, launcher());
    await assert.rejects(call(client), exceeds(limit));
    assert.equal(client.isOpen, false);
  });
}

test("a host's own daemon may send 32 MiB, which are decoded in many turns of the event loop", async (t) => {
  const { client } = await openPeer(t, {
    CONNECT_GET_ALL_DOMAIN_STATS: answer((writer) => {
      writeDense(writer, LIMIT.PARAMETERS);
    }),
    CONNECT_LIST_ALL_DOMAINS: answer((writer) => {
      writer.uint(0).uint(0);
    }),
  });
  const answered: string[] = [];
  const stats = client.allDomainStats(ALL, LATER).then(([domain]) => {
    answered.push("stats");
    return domain?.params;
  });
  const list = client.listDomains(1, LATER).then(() => answered.push("list"));
  const params = await stats;
  await list;
  assert.equal(params?.size, LIMIT.PARAMETERS);
  assert.equal(params.get("f262143"), 262_143);
  assert.deepEqual(answered, ["list", "stats"]);
});

test("a fault after the first turns of a large reply ends the connection and its calls", async (t) => {
  const { client } = await openPeer(t, {
    CONNECT_GET_ALL_DOMAIN_STATS: answer((writer) => {
      writeDense(writer, LIMIT.PARAMETERS);
      writer.uint(7);
    }),
  });
  await assert.rejects(client.allDomainStats(ALL, LATER), /4 bytes are left over/);
  assert.equal(client.isOpen, false);
});

test("a large reply of a connection that ends while it is decoded fails as closed", async (t) => {
  const { client } = await openPeer(t, {
    CONNECT_GET_ALL_DOMAIN_STATS: ({ socket, answer: packetOf }) => {
      socket.end(
        packetOf((writer) => {
          writeDense(writer, LIMIT.PARAMETERS);
        }),
      );
    },
  });
  await assert.rejects(client.allDomainStats(ALL, LATER), { code: "E_LIBVIRT_CLOSED" });
});

test("of launchers that withhold the last byte those with most bytes are ended, and others go on", async (t) => {
  const shared = new SharedLimits(2 << 20);
  const withhold = (bytes: number): Handlers => ({
    DOMAIN_GET_XML_DESC: ({ socket, answer: packetOf }) => {
      socket.write(packetOf((writer) => writer.string("x".repeat(bytes))).subarray(0, -1));
    },
  });
  const honest = await openPeer(
    t,
    { DOMAIN_GET_XML_DESC: answer((writer) => writer.string("x".repeat(170_000))) },
    launcher(shared),
  );
  const errors: unknown[] = [];
  const small = await openPeer(t, withhold(100_000), launcher(shared));
  void small.client.domainXml(DOMAIN, LATER).catch((error: unknown) => errors.push(error));
  for (let pod = 0; pod < 3; pod++) {
    const peer = launcher(shared);
    const { client, peer: daemon } = await openPeer(t, withhold(450_000), peer);
    const more = await Promise.all([1, 2].map(() => LibvirtClient.open(daemon.socketPath, { ...LATER, peer })));
    for (const one of [client, ...more]) {
      void one.domainXml(DOMAIN, LATER).catch((error: unknown) => errors.push(error));
      // The bytes of each call have arrived when the honest launcher has answered.
      assert.equal((await honest.client.domainXml(DOMAIN, LATER)).length, 170_000);
      assert.ok(shared.memory.bytes <= 2 << 20, String(shared.memory.bytes));
    }
  }
  for (let round = 0; round < 20; round++) await honest.client.domainXml(DOMAIN, LATER);
  assert.ok(errors.length >= 5, `${errors.length} connections were ended`);
  for (const error of errors) exceeds("Memory")(error);
  assert.ok(small.client.isOpen && honest.client.isOpen);
});

test("an idle launcher keeps no bytes in memory", async (t) => {
  const shared = new SharedLimits(32 << 20);
  const { client } = await openPeer(
    t,
    { DOMAIN_GET_XML_DESC: answer((writer) => writer.string("x".repeat(500_000))) },
    launcher(shared),
  );
  await client.domainXml(DOMAIN, LATER);
  assert.equal(shared.memory.bytes, 0);
});

test("replies of several launchers at their limit are decoded completely, in bounded memory", async (t) => {
  const shared = new SharedLimits(16 << 20);
  const handlers: Handlers = {
    CONNECT_GET_ALL_DOMAIN_STATS: answer((writer) => {
      writeDense(writer, LAUNCHER_BUDGET.parameters);
    }),
  };
  const open = async (): Promise<LibvirtClient> => (await openPeer(t, handlers, launcher(shared))).client;
  const clients = await Promise.all(Array.from({ length: 8 }, open));
  const replies = await Promise.all(clients.map((client) => client.allDomainStats(ALL, LATER)));
  for (const [domain] of replies) assert.equal(domain?.params.size, LAUNCHER_BUDGET.parameters);
  assert.equal(shared.memory.bytes, 0);
});
