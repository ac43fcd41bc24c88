import assert from "node:assert/strict";
import { test } from "node:test";
import { LibvirtSource } from "../../../../src/collection/libvirt/libvirt-source.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

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
