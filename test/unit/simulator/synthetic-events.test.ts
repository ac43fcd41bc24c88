import assert from "node:assert/strict";
import { test } from "node:test";
import type { DomainEvent } from "../../../src/libvirt/types.ts";
import { SimulatedHost } from "../../../src/simulator/simulated-host.ts";
import { simulateEvents } from "../../../src/simulator/synthetic-events.ts";
import { FakeClock } from "../../support/fake-clock.ts";

test("every ten seconds something happens, to one domain after the other, until the signal", async () => {
  const clock = new FakeClock();
  const host = SimulatedHost.of(2, { nics: 1, disks: 1, seed: 1 }, clock);
  const events: DomainEvent[] = [];
  host.onEvent.add((event) => events.push(event));
  const ending = new AbortController();
  const done = simulateEvents(host, clock, ending.signal);
  await clock.advance(65_000);
  assert.deepEqual([...host.jobs.keys()], ["vm-001"]);
  await clock.advance(75_000);
  ending.abort();
  await done;
  const kinds = [
    ...["AGENT_LIFECYCLE", "REBOOT", "AGENT_LIFECYCLE", "BALLOON_CHANGE", "BLOCK_THRESHOLD"],
    ...["MIGRATION_ITERATION", "JOB_COMPLETED"],
  ];
  assert.equal(host.jobs.size, 0);
  assert.equal(events[6]?.params?.get("time_elapsed"), 10_000n);
  assert.deepEqual(
    events.map(({ name, domain }) => [name, domain.id]),
    [1, 2].flatMap((id) => kinds.map((kind) => [kind, id])),
  );
});
