import assert from "node:assert/strict";
import { test } from "node:test";
import { LibvirtClient } from "../../src/libvirt/client.ts";
import { LibvirtError, type LibvirtErrorCode } from "../../src/libvirt/errors.ts";
import type { DomainRef } from "../../src/libvirt/types.ts";
import type { XdrWriter } from "../../src/libvirt/xdr.ts";
import { openPeer, startPeer, type PeerCall } from "../support/libvirt-peer.ts";

const SOON = { deadlineMs: 50 };
const LATER = { deadlineMs: 10_000 };
const NEVER = { deadlineMs: Number.POSITIVE_INFINITY };

function domain(id: number): DomainRef {
  return { name: `vm-${id}`, uuid: "6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a01", id };
}

function failsWith(code: LibvirtErrorCode): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof LibvirtError, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  };
}

function writeInfo(vcpus: number): (writer: XdrWriter) => void {
  return (writer) => {
    writer.uint(1).uhyper(2048n).uhyper(1024n).uint(vcpus).uhyper(99n);
  };
}

/** Returns the id of the domain in a call. */
function calledId({ payload }: PeerCall): number {
  payload.string(100);
  payload.fixedOpaque(16);
  return payload.int();
}

void test("replies in another order than the calls reach the right calls", async (t) => {
  const waiting: (() => void)[] = [];
  const { client } = await openPeer(t, {
    DOMAIN_GET_INFO: (call) => {
      const id = calledId(call);
      waiting.unshift(() => {
        call.reply(writeInfo(id));
      });
      if (waiting.length === 4) for (const answer of waiting.splice(0)) answer();
    },
  });
  const ids = Array.from({ length: 16 }, (_, id) => id);
  const infos = await Promise.all(ids.map((id) => client.domainInfo(domain(id), LATER)));
  assert.deepEqual(
    infos.map(({ vcpus }) => vcpus),
    ids,
  );
});

void test("at most four calls are outstanding, and the others follow in order", async (t) => {
  const arrived: number[] = [];
  const open: (() => void)[] = [];
  const { client } = await openPeer(t, {
    DOMAIN_GET_INFO: (call) => {
      const id = calledId(call);
      arrived.push(id);
      open.push(() => {
        call.reply(writeInfo(id));
      });
      // Calls that the client has sent by now arrive before this reply is sent.
      setImmediate(() => {
        assert.ok(open.length <= 4, `${open.length} calls are outstanding`);
        open.shift()?.();
      });
    },
  });
  const ids = Array.from({ length: 20 }, (_, id) => id);
  await Promise.all(ids.map((id) => client.domainInfo(domain(id), LATER)));
  assert.deepEqual(arrived, ids);
});

void test("a missed deadline drops the connection, and all other calls fail as closed", async (t) => {
  const { client, peer } = await openPeer(t, { DOMAIN_GET_INFO: () => undefined });
  const calls = Array.from({ length: 6 }, (_, id) => client.domainInfo(domain(id), id === 2 ? SOON : LATER));
  const outcomes = await Promise.allSettled(calls);
  const codes = outcomes.map((outcome) => outcome.status === "rejected" && (outcome.reason as LibvirtError).code);
  const closed = "E_LIBVIRT_CLOSED";
  assert.deepEqual(codes, [closed, closed, "E_LIBVIRT_TIMEOUT", closed, closed, closed]);
  assert.equal((await client.closed)?.code, closed);
  for (const socket of peer.sockets) await new Promise((resolve) => socket.on("close", resolve));
});

/** Returns a domain with a UUID of its own. */
function other(id: number): DomainRef {
  return { ...domain(id), uuid: `00000000-0000-0000-0000-00000000000${id}` };
}

void test("while the daemon answers other calls, a late one ends only itself, and its reply is ignored", async (t) => {
  let release = (): void => undefined;
  const { client, peer } = await openPeer(t, {
    DOMAIN_GET_INFO: (call) => {
      const id = calledId(call);
      const answer = (): void => {
        call.reply(writeInfo(id));
      };
      if (id === 0) release = answer;
      else answer();
    },
  });
  const late = client.domainInfo(other(0), SOON);
  await client.domainInfo(other(1), LATER);
  await assert.rejects(late, failsWith("E_LIBVIRT_TIMEOUT"));
  const calls = peer.received.length;
  await assert.rejects(client.domainInfo(other(0), LATER), /an earlier DOMAIN_GET_INFO/);
  assert.equal(peer.received.length, calls, "another call would wait for the same lock");
  release();
  assert.equal((await client.domainInfo(other(2), LATER)).vcpus, 2);
  const again = client.domainInfo(other(0), LATER);
  // The second call of the domain has arrived when a later one is answered.
  await client.domainInfo(other(3), LATER);
  release();
  assert.equal((await again).vcpus, 0);
  assert.ok(client.isOpen);
});

void test("a third late call ends the connection, because two calls need room", async (t) => {
  const { client } = await openPeer(t, {
    DOMAIN_GET_INFO: (call) => {
      const id = calledId(call);
      if (id > 2) call.reply(writeInfo(id));
    },
  });
  for (const id of [0, 1, 2]) {
    assert.equal(client.isCrowded, id === 2);
    const late = client.domainInfo(other(id), SOON);
    await client.domainInfo(other(9), LATER);
    await assert.rejects(late, failsWith("E_LIBVIRT_TIMEOUT"));
  }
  assert.equal(client.isOpen, false);
});

void test("a queued call keeps its deadline", async (t) => {
  const { client } = await openPeer(t, { DOMAIN_GET_INFO: () => undefined });
  const stuck = Promise.allSettled([0, 1, 2, 3].map((id) => client.domainInfo(domain(id), NEVER)));
  await assert.rejects(client.listDomains(1, SOON), failsWith("E_LIBVIRT_TIMEOUT"));
  await stuck;
});

void test("a call without a deadline waits beside others until the connection is closed", async (t) => {
  const { client, peer } = await openPeer(t, {
    CONNECT_GET_ALL_DOMAIN_STATS: () => undefined,
    DOMAIN_GET_INFO: (call) => {
      call.reply(writeInfo(calledId(call)));
    },
  });
  const stuck = client.allDomainStats({ groups: 32, flags: 1 }, NEVER);
  stuck.catch(() => undefined);
  for (let id = 0; id < 10; id++) assert.equal((await client.domainInfo(domain(id), LATER)).vcpus, id);
  client.close();
  await assert.rejects(stuck, failsWith("E_LIBVIRT_CLOSED"));
  assert.equal(await client.closed, undefined);
  assert.ok(!peer.received.includes("CONNECT_CLOSE"), "CONNECT_CLOSE would wait behind the stuck call");
});

void test("a reply that arrives in time while this process is busy is accepted", async (t) => {
  const { client } = await openPeer(t, {
    DOMAIN_GET_INFO: (call) => {
      call.reply(writeInfo(1));
      // Keeps this process busy until long after the deadline, with the reply unread in the socket.
      const end = performance.now() + 200;
      while (performance.now() < end);
    },
  });
  assert.equal((await client.domainInfo(domain(1), SOON)).vcpus, 1);
});

void test("an error reply fails only its own call, with libvirt's number", async (t) => {
  const { client } = await openPeer(t, {
    DOMAIN_GET_XML_DESC: (call) => {
      call.fail(42, "Domain not found");
    },
    DOMAIN_GET_INFO: (call) => {
      call.reply(writeInfo(2));
    },
  });
  const [xml, info] = await Promise.allSettled([
    client.domainXml(domain(1), LATER),
    client.domainInfo(domain(1), LATER),
  ]);
  assert.ok(xml.status === "rejected" && xml.reason instanceof LibvirtError);
  assert.deepEqual([xml.reason.code, xml.reason.libvirtCode], ["E_LIBVIRT_REMOTE", 42]);
  assert.equal(info.status, "fulfilled");
  assert.ok(client.isOpen);
});

void test("the smallest and largest values of each type are decoded", async (t) => {
  const most = 2n ** 64n - 1n;
  const { client } = await openPeer(t, {
    DOMAIN_GET_INFO: (call) => {
      call.reply((writer) => writer.uint(5).uhyper(most).uhyper(0n).uint(65_535).uhyper(most));
    },
    DOMAIN_GET_CPU_STATS: (call) => {
      calledId(call);
      assert.deepEqual(
        [call.payload.uint() > 3, call.payload.int(), call.payload.uint(), call.payload.uint()],
        [true, -1, 1, 0],
      );
      call.payload.expectEnd();
      call.reply((writer) => writer.uint(1).string("cpu_time").uint(4).uhyper(most).int(1));
    },
    DOMAIN_GET_CONTROL_INFO: (call) => {
      call.reply((writer) => writer.uint(2).uint(0).uhyper(31_000n));
    },
    DOMAIN_GET_XML_DESC: (call) => {
      call.reply((writer) => writer.string("<domain/>"));
    },
  });
  const info = { state: 5, maxMemoryKiB: most, memoryKiB: 0n, vcpus: 65_535, cpuTimeNs: most };
  assert.deepEqual(await client.domainInfo(domain(1), LATER), info);
  assert.deepEqual(await client.domainCpuStats(domain(1), LATER), new Map([["cpu_time", most]]));
  assert.deepEqual(await client.domainControlInfo(domain(1), LATER), { state: 2, details: 0, stateTimeMs: 31_000 });
  assert.equal(await client.domainXml(domain(1), LATER), "<domain/>");
});

void test("close sends CONNECT_CLOSE, rejects later calls and resolves `closed` without an error", async (t) => {
  const { client, peer } = await openPeer(t);
  client.close();
  assert.equal(client.isOpen, false);
  await assert.rejects(client.listDomains(1, LATER), failsWith("E_LIBVIRT_CLOSED"));
  client.close();
  assert.equal(await client.closed, undefined);
  assert.equal(peer.received.at(-1), "CONNECT_CLOSE");
});

void test("close ends even if the daemon does not answer CONNECT_CLOSE", async (t) => {
  const { client } = await openPeer(t, { CONNECT_CLOSE: () => undefined });
  client.close();
  assert.equal(await client.closed, undefined);
});

void test("a daemon that disconnects on CONNECT_CLOSE is not an error", async (t) => {
  const { client } = await openPeer(t, { CONNECT_CLOSE: ({ socket }) => void socket.destroy() });
  client.close();
  assert.equal(await client.closed, undefined);
});

void test("`closed` resolves to an error if the daemon disconnects", async (t) => {
  const peer = await startPeer(t);
  using client = await LibvirtClient.open(peer.socketPath, LATER);
  for (const socket of peer.sockets) socket.destroy();
  assert.equal((await client.closed)?.code, "E_LIBVIRT_CLOSED");
  assert.equal(client.isOpen, false);
});
