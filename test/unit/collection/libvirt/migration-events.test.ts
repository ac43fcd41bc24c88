import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { VmName } from "../../../../src/collection/libvirt/domain-history.ts";
import { EVENTS } from "../../../../src/collection/stats-needs.ts";
import type { VmEvent, VmReport } from "../../../../src/collection/vm-report.ts";
import { SimulatedEndpoint } from "../../../support/simulated-endpoint.ts";

/** Starts a daemon with one domain, of whose VMI `migration` returns the live migration, and runs the first cycle. */
async function bench(t: TestContext, migration: () => VmName["migration"]) {
  const events: VmEvent[] = [];
  const onReport = (report: VmReport): void => {
    if ("kind" in report) events.push(report);
  };
  const endpoint = await SimulatedEndpoint.start(t, {
    domains: 1,
    settings: { needs: [EVENTS], onReport },
    identify: (domain) => {
      const running = migration();
      return { ...domain, ...(running !== undefined && { migration: running }) };
    },
  });
  await endpoint.cycle();
  return { endpoint, events };
}

test("the migrations of a VMI are events at their own times, each once, and none from before the agent", async (t) => {
  const now = 1_700_000_000_000;
  const done = { detail: "started", atMs: now - 60_000 } as const;
  let migration: VmName["migration"] = { uid: "m1", isLeaving: false, steps: [done] };
  const { endpoint, events } = await bench(t, () => migration);
  const started = { detail: "started", atMs: now + 6_000 } as const;
  migration = { uid: "m2", isLeaving: true, steps: [started] };
  await endpoint.cycle();
  await endpoint.cycle();
  migration = { uid: "m2", isLeaving: false, steps: [started, { detail: "failed", atMs: now + 16_000 }] };
  await endpoint.cycle();
  await endpoint.cycle();
  assert.deepEqual(
    events.map(({ kind, detail, timestampMs }) => [kind, detail, timestampMs - now]),
    [
      ["migration", "started", 6_000],
      ["migration", "failed", 16_000],
    ],
  );
});

for (const what of ["ends", "is closed"])
  test(`a migration that is shorter than an interval has its start when the run ${what}`, async (t) => {
    let steps: NonNullable<VmName["migration"]>["steps"] = [];
    const { endpoint, events } = await bench(t, () => ({ uid: "m", isLeaving: true, steps }));
    // Between two cycles the migration begins and the domain leaves.
    steps = [{ detail: "started", atMs: endpoint.clock.now() }];
    endpoint.host.domains.clear();
    if (what === "is closed") endpoint.source.close();
    for (let cycles = 0; cycles < 2; cycles++) await endpoint.cycle();
    assert.deepEqual(
      events.map(({ kind, detail }) => [kind, detail]),
      [["migration", "started"]],
    );
  });
