import assert from "node:assert/strict";
import { test } from "node:test";
import { LAUNCHER_BUDGET, OWN_PARAMETERS } from "../../../../src/budget.ts";
import { ParameterShare } from "../../../../src/collection/libvirt/parameter-share.ts";
import { ParameterShares } from "../../../../src/libvirt/parameter-shares.ts";
import { STATS_GROUP } from "../../../../src/libvirt/protocol.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

const TTL_MS = 600_000;
const PERIOD_MS = 5_000;
const XML_LENGTH = 60_000;

/** Returns how often each of five launchers is sampled in 20 cycles, if each reads XML of this time to live in every cycle. */
async function samples(ttlMs: number): Promise<number[]> {
  const clock = new FakeClock();
  const shares = new ParameterShares();
  const launchers = Array.from({ length: 5 }, () => new ParameterShare(shares, LAUNCHER_BUDGET, clock));
  const counts = launchers.map(() => 0);
  for (let cycle = 0; cycle < 20; cycle++) {
    for (const [index, launcher] of launchers.entries()) {
      if (!launcher.isDue()) continue;
      counts[index] = (counts[index] ?? 0) + 1;
      launcher.charge();
      launcher.recordXml(XML_LENGTH, ttlMs);
    }
    await clock.advance(PERIOD_MS);
  }
  return counts;
}

test("XML that a launcher makes the agent read again and again counts as parameters", async () => {
  const counts = await samples(TTL_MS);
  assert.ok(
    counts.every((count) => count > 2 && count < 12),
    counts.join(" "),
  );
});

test("XML that is read again because its time to live is over does not count", async () => {
  assert.deepEqual(await samples(PERIOD_MS), [20, 20, 20, 20, 20]);
});

/** Returns how often five launchers are called together in 20 cycles, if each sends a large reply after its cycle. */
async function calls(prefix: string, groups: number): Promise<number> {
  const clock = new FakeClock();
  const shares = new ParameterShares();
  const launchers = Array.from({ length: 5 }, () => new ParameterShare(shares, LAUNCHER_BUDGET, clock));
  const domain = { name: "web", uuid: "0", id: 1 };
  const params = new Map(
    Array.from({ length: LAUNCHER_BUDGET.parameters }, (_, index) => [`${prefix}${index}`, index]),
  );
  let calls = 0;
  for (let cycle = 0; cycle < 20; cycle++) {
    for (const launcher of launchers) {
      if (!launcher.isDue()) continue;
      calls++;
      launcher.charge();
      launcher.count([{ domain, params }], groups);
    }
    await clock.advance(PERIOD_MS);
  }
  return calls;
}

test("replies that come after their cycle count in the next one", async () => {
  const count = await calls("block.", STATS_GROUP.BLOCK);
  assert.ok(count < 90, String(count));
});

test("the parameters of vCPUs count only if they were not requested", async () => {
  assert.equal(await calls("vcpu.", STATS_GROUP.BLOCK | STATS_GROUP.VCPU), 100);
  assert.ok((await calls("vcpu.", STATS_GROUP.BLOCK)) < 90);
});

test("launchers that need the whole limit lose no sample to replies that take 300 ms", async () => {
  const clock = new FakeClock();
  const shares = new ParameterShares();
  const launchers = Array.from({ length: 4 }, () => new ParameterShare(shares, LAUNCHER_BUDGET, clock));
  const domain = { name: "web", uuid: "0", id: 1 };
  const excess = (LAUNCHER_BUDGET.sharedParameters * PERIOD_MS) / 1_000 / launchers.length;
  const params = new Map(Array.from({ length: OWN_PARAMETERS + excess }, (_, index) => [`block.${index}`, index]));
  for (let cycle = 0; cycle < 5; cycle++) {
    const due = launchers.filter((launcher) => launcher.isDue());
    assert.equal(due.length, launchers.length, `cycle ${cycle}`);
    // The first reply takes longest: later ones are from warm caches.
    const replyMs = cycle === 0 ? 300 : 100;
    await clock.advance(replyMs);
    for (const launcher of due) {
      launcher.count([{ domain, params }], STATS_GROUP.BLOCK);
      launcher.charge();
    }
    await clock.advance(PERIOD_MS - replyMs);
  }
});
