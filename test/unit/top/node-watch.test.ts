import assert from "node:assert/strict";
import path from "node:path";
import { test, type TestContext } from "node:test";
import type { ShownFamily } from "../../../src/top/columns.ts";
import { NodeWatch } from "../../../src/top/node-watch.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { PROCEDURE } from "../../../src/libvirt/protocol.ts";
import { SimulatorServer } from "../../../src/simulator/server.ts";
import { SimulatedHost } from "../../../src/simulator/simulated-host.ts";
import { atEnd } from "../../support/at-end.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

/** Returns how often a watch calls these procedures in two cycles. */
async function callsOf(t: TestContext, ...families: readonly ShownFamily[]): Promise<readonly unknown[]> {
  const socket = path.join(await temporaryDirectory(t), "libvirt-sock-ro");
  const host = SimulatedHost.of(2, { nics: 1, disks: 1, seed: 1 });
  const server = await SimulatorServer.start(socket, host);
  atEnd(t, () => server[Symbol.asyncDispose]());
  using watch = new NodeWatch({ libvirtSockets: [socket], podsDir: undefined }, 2_000, systemClock, families);
  await watch.collect();
  const { domains } = await watch.collect();
  // All of them run, and Status tells a reason only of the others.
  const hasDetails = families.some((family) => family !== "Status");
  for (const { details } of domains) assert.equal(details !== undefined, hasDetails);
  return [host.calls.get(PROCEDURE.DOMAIN_GET_VCPUS) ?? 0, host.calls.get(PROCEDURE.DOMAIN_GET_CONTROL_INFO) ?? 0];
}

test("a family makes calls only if it is shown", async (t) => {
  assert.deepEqual(await callsOf(t), [0, 0]);
  assert.deepEqual(await callsOf(t, "Disks", "Memory"), [0, 0]);
  assert.deepEqual(await callsOf(t, "Vcpus"), [4, 0]);
  assert.deepEqual(await callsOf(t, "Status"), [0, 4]);
});

test("a table is incomplete while a QEMU does not answer, and its VM is named", async (t) => {
  const socket = path.join(await temporaryDirectory(t), "libvirt-sock-ro");
  const host = SimulatedHost.of(2, { nics: 1, disks: 1, seed: 1 });
  const server = await SimulatorServer.start(socket, host);
  atEnd(t, () => server[Symbol.asyncDispose]());
  using watch = new NodeWatch({ libvirtSockets: [socket], podsDir: undefined }, 2_000, systemClock);
  const { complete, missing } = await watch.collect();
  assert.deepEqual([complete, missing], [true, []]);
  host.stuck.add("vm-002");
  atEnd(t, () => {
    host.release("vm-002");
  });
  const table = await watch.collect();
  assert.deepEqual(
    [table.faults, table.complete, table.missing],
    [[], false, [`${socket}: no answer yet from the QEMU of vm-002`]],
  );
});

test("the fault of a missing socket has its path once", async () => {
  const libvirtSockets = ["/nonexistent/libvirt-sock"];
  using watch = new NodeWatch({ libvirtSockets, podsDir: undefined }, 2_000, new FakeClock());
  assert.deepEqual((await watch.collect()).faults, [
    "/nonexistent/libvirt-sock: E_LIBVIRT_UNREACHABLE: no such socket; is the daemon running?",
  ]);
});
