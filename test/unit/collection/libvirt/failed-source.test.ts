import assert from "node:assert/strict";
import { test } from "node:test";
import { libvirtSources } from "../../../../src/collection/libvirt/libvirt-sources.ts";
import { TelemetryError } from "../../../../src/errors.ts";
import { EndpointStates } from "../../../../src/node/endpoint-states.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

test("a launcher that cannot be used is not invisible: it is a failed endpoint with its error", async () => {
  const clock = new FakeClock();
  const fault = new TelemetryError("E_LAUNCHER_UNRESPONSIVE", "virt-handler has marked it");
  const source = libvirtSources(clock)({ socket: "/pods/a", fault }).create({
    timeoutMs: 4_000,
    deviceCacheTtlMs: 0,
    needs: [],
  });
  const states = new EndpointStates(clock);
  states.recordCycle(await source.collect());
  assert.deepEqual(
    states.views.map(({ endpoint, state, error }) => [endpoint, state, error]),
    [["/pods/a", "failed", fault]],
  );
  assert.deepEqual([...states.errors], [["E_LAUNCHER_UNRESPONSIVE", 1]]);
});
