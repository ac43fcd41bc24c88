import assert from "node:assert/strict";
import { test } from "node:test";
import { LibvirtSource } from "../../../../src/collection/libvirt/libvirt-source.ts";
import { VERSIONS } from "../../../../src/collection/stats-needs.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { SimulatedEndpoint } from "../../../support/simulated-endpoint.ts";

test("a daemon that does not listen is told to the owner of its socket", async () => {
  let calls = 0;
  const onUnreachable = (): number => calls++;
  const settings = { timeoutMs: 4_000, deviceCacheTtlMs: 300_000, needs: [] };
  const source = new LibvirtSource(
    { socket: "/nonexistent/libvirt-sock-ro", onUnreachable },
    settings,
    new FakeClock(),
  );
  assert.equal((await source.collect()).outcome, "failed");
  assert.equal(calls, 1);
});

test("the version of QEMU is that of the current connection, and unknown until a new one has answered", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { settings: { needs: [VERSIONS] } });
  await endpoint.samples();
  assert.equal(endpoint.source.stats.qemuVersions?.length, 1);
  await endpoint.stopDaemon();
  assert.deepEqual(endpoint.source.stats.qemuVersions, []);
  await endpoint.startDaemon();
  await endpoint.samples();
  assert.equal(endpoint.source.stats.qemuVersions.length, 1);
});
