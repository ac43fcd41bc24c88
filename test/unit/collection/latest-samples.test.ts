import assert from "node:assert/strict";
import { test } from "node:test";
import { LatestSamples } from "../../../src/collection/latest-samples.ts";
import { VCPUS } from "../../../src/collection/libvirt/vcpus.ts";
import type { DomainSample } from "../../../src/collection/domain-sample.ts";
import type { SourceCycle } from "../../../src/collection/source.ts";
import { BALLOON, DEVICES, type StatsNeed } from "../../../src/collection/stats-needs.ts";
import { sample } from "../../support/samples.ts";

const ALL: readonly StatsNeed[] = [BALLOON, DEVICES, VCPUS];

function cycle(samples: readonly DomainSample[], change: Partial<SourceCycle> = {}): SourceCycle {
  return {
    endpoint: "/sock",
    outcome: "collected",
    samples,
    ...{ errors: [], tolerated: [], stuck: [], busy: [], slow: [] },
    ...change,
  };
}

function vm(name: string, monotonicMs = 15_000, id = 1): DomainSample {
  const base = sample();
  return { ...base, identity: { id, uuid: name, name }, memory: { ...base.memory, monotonicMs } };
}

function namesOf(latest: LatestSamples): string[] {
  return latest.vms.map(({ sample: { identity } }) => identity.name);
}

test("a VM that is not in the last cycle of its endpoint is not known any more", () => {
  const latest = new LatestSamples();
  latest.record(cycle([vm("web"), vm("db")]), undefined);
  latest.record(cycle([vm("db")]), undefined);
  assert.deepEqual(namesOf(latest), ["db"]);
});

test("after a cycle that failed nothing of its endpoint is known", () => {
  for (const outcome of ["failed", "absent", "starting"] as const) {
    const latest = new LatestSamples();
    latest.record(cycle([vm("web")]), undefined);
    latest.record(cycle([vm("db")], { endpoint: "/other" }), undefined);
    latest.record(cycle([], { outcome }), undefined);
    latest.record(cycle([], { outcome: "skipped" }), undefined);
    assert.deepEqual(namesOf(latest), ["db"], outcome);
    latest.record(cycle([vm("web")]), [BALLOON]);
    assert.equal(latest.vms.at(-1)?.part(DEVICES), undefined, "what was known before the failure stays unknown");
  }
});

test("a part that is not due in a cycle is that of the last cycle that had it", () => {
  const latest = new LatestSamples();
  const [first, second] = [vm("web", 1_000), vm("web", 6_000)];
  latest.record(cycle([first]), ALL);
  latest.record(cycle([second, vm("new", 6_000)]), [BALLOON]);
  const [web, added] = latest.vms;
  assert.equal(web?.sample, second);
  assert.equal(web.part(BALLOON), second);
  assert.equal(web.part(VCPUS), first);
  assert.equal(added?.part(VCPUS), undefined);
});

test("a part that was due is never replaced by an older one", () => {
  const latest = new LatestSamples();
  latest.record(cycle([vm("web", 1_000)]), ALL);
  const stuck = { ...vm("web", 6_000), disks: undefined };
  latest.record(cycle([stuck]), ALL);
  assert.equal(latest.vms[0]?.part(DEVICES), stuck);
});

test("a VM that has started again, and a part of more than five minutes ago, have no older values", () => {
  const latest = new LatestSamples();
  latest.record(cycle([vm("web", 1_000), vm("db", 1_000)]), ALL);
  latest.record(cycle([vm("web", 2_000, 2), vm("db", 301_001)]), [BALLOON]);
  for (const { part } of latest.vms) assert.equal(part(DEVICES), undefined);
});

test("an endpoint that is gone is forgotten", () => {
  const latest = new LatestSamples();
  latest.record(cycle([vm("web")]), undefined);
  latest.retain(new Set(["/other"]));
  assert.deepEqual(latest.vms, []);
});
