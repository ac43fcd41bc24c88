import assert from "node:assert/strict";
import { test } from "node:test";
import type { SourceCycle } from "../../../src/collection/source.ts";
import { TelemetryError } from "../../../src/errors.ts";
import { LibvirtError } from "../../../src/libvirt/errors.ts";
import { EndpointViews } from "../../../src/node/endpoint-views.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { sample } from "../../support/samples.ts";

function cycle(change: Partial<SourceCycle> = {}): SourceCycle {
  const silent = { stuck: [], busy: [], slow: [] };
  return { endpoint: "/a", outcome: "collected", samples: [], ...silent, errors: [], tolerated: [], ...change };
}

const REFUSED = new LibvirtError("E_LIBVIRT_UNREACHABLE", "nobody listens");

function fixture() {
  const clock = new FakeClock();
  const views = new EndpointViews(clock);
  return { clock, views, state: () => views.endpoints.map(({ state }) => state)[0] };
}

test("a daemon is up, stuck, failed or absent by its last cycle; one that was skipped says nothing", () => {
  const { views, state } = fixture();
  views.add(cycle());
  assert.equal(state(), "up");
  views.add(cycle({ stuck: ["vm"] }));
  assert.equal(state(), "stuck");
  views.add(cycle({ outcome: "failed", errors: [REFUSED] }));
  assert.equal(state(), "failed");
  views.add(cycle({ outcome: "skipped" }));
  assert.equal(state(), "failed");
  views.add(cycle({ outcome: "absent", errors: [REFUSED] }));
  assert.equal(state(), "absent");
  views.add(cycle({ outcome: "starting", tolerated: [REFUSED] }));
  assert.equal(state(), "absent");
  views.add(cycle({ busy: ["vm"], slow: ["other"] }));
  assert.equal(state(), "up");
  assert.deepEqual(views.endpoints[0]?.busy, ["vm"]);
});

test("a state is as old as the daemon's answers, or their lack", async () => {
  const { clock, views } = fixture();
  const since = (): number | undefined => views.endpoints[0]?.sinceMs;
  const begun = clock.monotonic();
  views.add(cycle());
  await clock.advance(5_000);
  views.add(cycle({ stuck: ["vm"] }));
  assert.equal(since(), begun);
  views.add(cycle({ outcome: "failed", errors: [REFUSED] }));
  assert.equal(since(), begun + 5_000);
});

test("the domains of the last cycle are there, and those of the one before, for their load", () => {
  const { views } = fixture();
  const [first, second] = [[sample()], [sample(), sample()]];
  views.add(cycle({ samples: first }));
  views.add(cycle({ samples: second }));
  assert.deepEqual([views.endpoints[0]?.before, views.endpoints[0]?.samples, views.domains], [first, second, 2]);
});

test("what went wrong is counted by code, but not a launcher that is not up", () => {
  const { views } = fixture();
  views.add(cycle({ outcome: "absent", errors: [REFUSED] }));
  views.add(cycle({ outcome: "starting", tolerated: [REFUSED] }));
  views.add(cycle({ outcome: "failed", errors: [REFUSED] }));
  const bad = new TelemetryError("E_DOMAIN_XML", "is no XML");
  views.add(cycle({ errors: [bad, bad] }));
  assert.deepEqual(Object.fromEntries(views.errors), { E_LIBVIRT_UNREACHABLE: 1, E_DOMAIN_XML: 2 });
});

test("that the daemons cannot be found is known until they are found", () => {
  const { views } = fixture();
  const fault = new TelemetryError("E_PODS_DIR", "cannot be read");
  views.add(cycle());
  views.notFound(fault);
  assert.deepEqual([views.fault, views.endpoints.length, views.errors.get("E_PODS_DIR")], [fault, 1, 1]);
  views.retain(new Set());
  assert.deepEqual([views.fault, views.endpoints.length], [undefined, 0]);
});
