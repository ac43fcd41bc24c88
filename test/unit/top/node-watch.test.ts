import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeWatch } from "../../../src/top/node-watch.ts";
import { FakeClock } from "../../support/fake-clock.ts";

test("the fault of a missing socket has its path once", async () => {
  const libvirtSockets = ["/nonexistent/libvirt-sock"];
  using watch = new NodeWatch({ libvirtSockets, podsDir: undefined }, 2_000, new FakeClock());
  assert.deepEqual((await watch.collect()).faults, [
    "/nonexistent/libvirt-sock: E_LIBVIRT_UNREACHABLE: no such socket; is the daemon running?",
  ]);
});
