import assert from "node:assert/strict";
import { test } from "node:test";
import { HISTORY_CYCLES, LoadHistory } from "../../../src/collection/load-history.ts";
import type { DomainSample } from "../../../src/collection/domain-sample.ts";
import { disk, nic, sample } from "../../support/samples.ts";

const ENDPOINT = "/a";
const PERIOD_MS = 5_000;
const { identity } = sample();

/** Returns the sample of a cycle of a VM that uses a tenth of a CPU, reads 300, writes 200, gets 40 and sends 60 bytes a second. */
function at(cycle: number, change: Partial<DomainSample> = {}): DomainSample {
  const seconds = BigInt(cycle * 5);
  const base = sample();
  return {
    ...base,
    memory: { ...base.memory, monotonicMs: cycle * PERIOD_MS },
    cpu: { ...base.cpu, time: 100_000_000n * seconds },
    disks: [disk("vda", { readBytes: 300n * seconds, writeBytes: 200n * seconds })],
    nics: [nic("tap0", { rxBytes: 40n * seconds, txBytes: 60n * seconds })],
    ...change,
  };
}

/** Returns the history after these cycles. */
function after(cycles: readonly (readonly DomainSample[])[]): LoadHistory {
  const history = new LoadHistory();
  for (const samples of cycles) {
    history.record({ endpoint: ENDPOINT, samples });
    history.endCycle();
  }
  return history;
}

/** Returns the last values, with null for a gap. */
function last(history: LoadHistory, count: number, value: "cpuPercent" | "diskBytes" | "netBytes" = "cpuPercent") {
  const past = history.of(ENDPOINT, identity.uuid);
  assert.ok(past !== undefined);
  return [...past[value].slice(-count)].map((one) => (Number.isNaN(one) ? null : Math.round(one)));
}

test("the load of each cycle is kept, the oldest first", () => {
  const history = after([[at(0)], [at(1)], [at(2)]]);
  assert.deepEqual(last(history, 4), [null, null, 10, 10]);
  assert.deepEqual(last(history, 3, "diskBytes"), [null, 500, 500]);
  assert.deepEqual(last(history, 3, "netBytes"), [null, 100, 100]);
  assert.equal(history.of(ENDPOINT, identity.uuid)?.netBytes.length, HISTORY_CYCLES);
});

test("the last 60 cycles are kept, however many there were", () => {
  const cpu = (cycle: number): DomainSample["cpu"] => ({
    ...sample().cpu,
    time:
      BigInt(Array.from({ length: cycle }, (_, index) => index + 1).reduce((sum, one) => sum + one, 0)) * 50_000_000n,
  });
  const history = after(Array.from({ length: 151 }, (_, cycle) => [at(cycle, { cpu: cpu(cycle) })]));
  assert.deepEqual(
    last(history, HISTORY_CYCLES),
    Array.from({ length: HISTORY_CYCLES }, (_, index) => 91 + index),
  );
});

test("a VM with a sample in the cycle that runs shows it, and no value twice", () => {
  const history = after(Array.from({ length: 70 }, (_, cycle) => [at(cycle)]));
  const busy = at(70, { cpu: { ...sample().cpu, time: 100_000_000n * 345n + 5_000_000_000n } });
  history.record({ endpoint: ENDPOINT, samples: [busy] });
  assert.deepEqual(last(history, HISTORY_CYCLES), [...Array<number>(HISTORY_CYCLES - 1).fill(10), 100]);
});

test("a restart, a reset counter, a missing value and other devices are gaps", () => {
  const restarted = { ...identity, id: 2 };
  assert.deepEqual(last(after([[at(0)], [at(1)], [at(2, { identity: restarted })]]), 3), [null, 10, null]);
  assert.deepEqual(last(after([[at(5)], [at(6, { cpu: { ...sample().cpu, time: 0n } })], [at(7)]]), 2), [null, 70]);
  const unknown = after([[at(0)], [at(1, { disks: [disk("vda", { readBytes: undefined })] })], [at(2)]]);
  assert.deepEqual(last(unknown, 2, "diskBytes"), [null, null]);
  const plugged = after([[at(0)], [at(1, { nics: [nic("tap0"), nic("tap1")] })]]);
  assert.deepEqual(last(plugged, 1, "netBytes"), [null]);
});

test("a cycle without devices is a gap, and the next one has the average since the last", () => {
  const history = after([[at(0)], [at(1, { disks: undefined, nics: undefined })], [at(2)]]);
  assert.deepEqual(last(history, 2, "diskBytes"), [null, 500]);
  assert.deepEqual(last(history, 2, "netBytes"), [null, 100]);
  assert.deepEqual(last(history, 2), [10, 10]);
});

test("a VM that was missing for some cycles has a gap, also after its ring was full", () => {
  const cycles = Array.from({ length: 80 }, (_, cycle) => (cycle > 70 && cycle < 75 ? [] : [at(cycle)]));
  assert.deepEqual(last(after(cycles), 10), [10, null, null, null, null, null, 10, 10, 10, 10]);
  assert.deepEqual(last(after(cycles.slice(0, 74)), 4), [10, null, null, null]);
});

test("a VM that is missing for 60 cycles is forgotten, and another endpoint does not see its past", () => {
  const history = after([[at(0)], [at(1)]]);
  assert.equal(history.of("/b", identity.uuid), undefined);
  for (let cycle = 0; cycle < 3 * HISTORY_CYCLES; cycle++) history.endCycle();
  assert.equal(history.of(ENDPOINT, identity.uuid), undefined);
});

test("of very many VMs the first ones have a history", () => {
  const many = (cycle: number): readonly DomainSample[] =>
    Array.from({ length: 4_200 }, (_, index) => at(cycle, { identity: { ...identity, uuid: String(index) } }));
  const history = after([many(0), many(1)]);
  const known = many(0).filter(({ identity: { uuid } }) => history.of(ENDPOINT, uuid) !== undefined);
  assert.equal(known.length, 4_096);
});
