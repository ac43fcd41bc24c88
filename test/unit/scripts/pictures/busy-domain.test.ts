import assert from "node:assert/strict";
import { test } from "node:test";
import { BusyDomain } from "../../../../scripts/pictures/busy-domain.ts";
import { reasonName } from "../../../../src/collection/state-reason.ts";
import { STATS_GROUP } from "../../../../src/libvirt/protocol.ts";

function bench() {
  const domain = new BusyDomain(1, { nics: 1, disks: 1, seed: 1 }, { name: "vm", id: 1 });
  const reason = (): string => {
    const stats = domain.stats(STATS_GROUP.STATE, 100, true);
    assert.equal(stats.get("state.state"), domain.info(100).state);
    return reasonName(Number(stats.get("state.state")), Number(stats.get("state.reason")));
  };
  return { domain, reason };
}

test("a VM that was resumed does not say that it booted", () => {
  const { domain, reason } = bench();
  assert.equal(reason(), "booted");
  domain.pause(50);
  assert.equal(reason(), "io-error");
  domain.resume(60);
  assert.equal(reason(), "unpaused");
});

test("a VM that has migrated does not say that it booted", () => {
  const { domain, reason } = bench();
  domain.arrive();
  assert.equal(reason(), "migrated");
});

test("a VM has no state without the group of states", () => {
  const { domain } = bench();
  const { CPU_TOTAL } = STATS_GROUP;
  assert.deepEqual(
    [...domain.stats(CPU_TOTAL, 100, true).keys()].filter((key) => key.startsWith("state")),
    [],
  );
});
