// Launchers that exceed a limit when no call of the cycle waits for them.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { LAUNCHER_BUDGET } from "../../../src/budget.ts";
import { DaemonSession } from "../../../src/collection/libvirt/daemon-session.ts";
import { LibvirtSource } from "../../../src/collection/libvirt/libvirt-source.ts";
import { SharedLimits } from "../../../src/libvirt/peer.ts";
import { writeDomain } from "../../../src/libvirt/wire-types.ts";
import { XdrWriter } from "../../../src/libvirt/xdr.ts";
import { atEnd } from "../../support/at-end.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { startPeer, type Peer } from "../../support/libvirt-peer.ts";
import { exceeds } from "../../support/limited-launcher.ts";

const DOMAIN = { name: "shop_web", uuid: "6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a01", id: 1 };
const OVERSIZE = new XdrWriter().uint(LAUNCHER_BUDGET.packetBytes + 1).bytes();

function session(t: TestContext, { socketPath }: Peer) {
  const clock = new FakeClock();
  const lost = Promise.withResolvers<undefined>();
  const endpoint = { socket: socketPath, budget: LAUNCHER_BUDGET };
  const onLost = (): void => {
    lost.resolve(undefined);
  };
  const daemon = new DaemonSession(endpoint, { shared: new SharedLimits(1 << 20), clock, onLost });
  atEnd(t, () => {
    daemon.close();
  });
  return { daemon, lost: lost.promise, deadline: clock.monotonic() + 10_000 };
}

test("a launcher that exceeds a limit between two cycles gets no new connection before that is reported", async (t) => {
  const peer = await startPeer(t);
  const { daemon, lost, deadline } = session(t, peer);
  await daemon.session(deadline);
  for (const socket of peer.sockets) socket.write(OVERSIZE);
  await lost;
  await assert.rejects(daemon.session(deadline), exceeds("PacketBytes"));
  await assert.rejects(daemon.session(deadline), exceeds("PacketBytes"));
  exceeds("PacketBytes")(daemon.takeLimitError());
  assert.equal(daemon.takeLimitError(), undefined);
  assert.ok((await daemon.session(deadline)).isOpen);
});

test("a launcher that exceeds a limit in an abandoned connection is reported too", async (t) => {
  const peer = await startPeer(t);
  const { daemon, lost, deadline } = session(t, peer);
  daemon.abandon(await daemon.session(deadline));
  const [blocked] = peer.sockets;
  assert.ok((await daemon.session(deadline)).isOpen);
  blocked?.write(OVERSIZE);
  await lost;
  exceeds("PacketBytes")(daemon.takeLimitError());
});

test("callers at the same time share one connection", async (t) => {
  const peer = await startPeer(t);
  const { daemon, deadline } = session(t, peer);
  const [first, second] = await Promise.all([daemon.session(deadline), daemon.session(deadline)]);
  assert.equal(first, second);
  assert.equal(peer.sockets.size, 1);
});

test("a cycle in which a launcher exceeds a limit fails, also if only its statistics are too large", async (t) => {
  const peer = await startPeer(t, {
    CONNECT_LIST_ALL_DOMAINS: (call) => {
      call.reply((writer) => {
        writer.array([DOMAIN], (domain) => {
          writeDomain(writer, domain);
        });
        writer.uint(1);
      });
    },
    DOMAIN_GET_INFO: (call) => {
      call.reply((writer) => writer.uint(1).uhyper(1024n).uhyper(1024n).uint(1).uhyper(1n));
    },
    DOMAIN_GET_CPU_STATS: (call) => {
      call.fail(55, "no cgroups");
    },
    CONNECT_GET_ALL_DOMAIN_STATS: ({ socket }) => {
      socket.write(OVERSIZE);
    },
  });
  const settings = { timeoutMs: 4_000, deviceCacheTtlMs: 60_000, needs: [] };
  const endpoint = { socket: peer.socketPath, budget: LAUNCHER_BUDGET, identify: () => undefined };
  const source = new LibvirtSource(endpoint, settings, new FakeClock());
  atEnd(t, () => {
    source.close();
  });
  const { outcome, samples } = await source.collect();
  assert.deepEqual([outcome, samples], ["failed", []]);
});
