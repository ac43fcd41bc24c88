import assert from "node:assert/strict";
import { test } from "node:test";
import { LibvirtError } from "../../../src/libvirt/errors.ts";
import { cycle, failed, nodeLog } from "../../support/node-log.ts";
import { configOf } from "../../support/router-bench.ts";

test("another code while an endpoint fails is logged, and another text is not", () => {
  const { state, logged } = nodeLog();
  const failing = (...args: ConstructorParameters<typeof LibvirtError>): void => {
    state.endpoints.recordCycle(cycle({ outcome: "failed", errors: [new LibvirtError(...args)] }));
  };
  failing("E_LIBVIRT_TIMEOUT", "no answer");
  failing("E_LIBVIRT_TIMEOUT", "no answer, again");
  failing("E_LIBVIRT_DENIED", "no permission");
  assert.deepEqual(logged(), [
    "warn no statistics from libvirt: no answer",
    "warn no statistics from libvirt: no permission",
  ]);
});

test("an endpoint that fails in every other cycle is logged once in five minutes", async () => {
  const { clock, state, logged } = nodeLog("info");
  const flip = async (): Promise<void> => {
    state.endpoints.recordCycle(failed("refused"));
    await clock.advance(5_000);
    state.endpoints.recordCycle(cycle());
    await clock.advance(5_000);
  };
  for (let minute = 0; minute < 5; minute++) for (let round = 0; round < 6; round++) await flip();
  const once = ["warn no statistics from libvirt: refused", "info libvirt answers again"];
  assert.deepEqual(logged(), once);
  await flip();
  assert.deepEqual(logged(), once);
});

test("a failure that the limit delays is logged when it lasts", async () => {
  const { clock, state, logged } = nodeLog("info");
  const tick = (): void => {
    state.recordTick({ skippedTicks: 0, droppedLines: 0 });
  };
  for (const one of [failed("first"), cycle(), failed("second")]) state.endpoints.recordCycle(one);
  assert.deepEqual(logged(), ["warn no statistics from libvirt: first", "info libvirt answers again"]);
  await clock.advance(300_000);
  tick();
  assert.deepEqual(logged(), ["warn no statistics from libvirt: second", "info last minute"]);
  state.endpoints.recordCycle(cycle());
  assert.deepEqual(logged(), ["info libvirt answers again"]);
});

test("a target that is removed while it fails is forgotten, and logged when it fails again later", async () => {
  const { clock, log, logged } = nodeLog("warn");
  log.failing("a", "TargetUnreachable", "refused");
  log.failing("ab", "TargetUnreachable", "refused");
  log.configured(undefined, configOf({ ab: ["Totals"] }));
  await clock.advance(300_000);
  log.failing("a", "TargetUnreachable", "refused");
  log.failing("ab", "TargetUnreachable", "refused");
  const failing = "warn delivery failing, lines are buffered: refused";
  assert.deepEqual(logged(), [failing, failing, failing], "a, ab, and a again");
});

test("many silent domains of a daemon are logged up to a limit, and the others later", async () => {
  const { clock, state, entries } = nodeLog("warn");
  const stuck = Array.from({ length: 25 }, (_, index) => `vm-${index}`);
  state.endpoints.recordCycle(cycle({ stuck }));
  assert.equal(entries.splice(0).length, 10);
  for (const expected of [10, 5, 0]) {
    await clock.advance(300_000);
    state.recordTick({ skippedTicks: 0, droppedLines: 0 });
    assert.equal(entries.splice(0).length, expected);
  }
});

test("another reason of a failing target is logged, and a target that flips is logged rarely", async () => {
  const { clock, log, state, logged } = nodeLog("warn");
  log.failing("main", "TargetUnreachable", "refused");
  log.failing("main", "TargetUnauthorized", "HTTP 401");
  assert.equal(logged().length, 2);
  for (let round = 0; round < 20; round++) {
    log.recovered("main");
    log.failing("main", "TargetUnreachable", `random ${round}`);
  }
  assert.deepEqual(logged(), []);
  await clock.advance(300_000);
  state.recordTick({ skippedTicks: 0, droppedLines: 0 });
  assert.deepEqual(logged(), ["warn delivery failing, lines are buffered: random 19"]);
});
