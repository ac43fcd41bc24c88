import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LAUNCHER_BUDGET } from "../../../src/budget.ts";
import { EndpointQuota } from "../../../src/routing/endpoint-quota.ts";
import { SpoolShares } from "../../../src/routing/spool-shares.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const CAP = 1_000_000;
/** Compressed bytes of one byte of lines. */
const RATIO = 0.1;

/** A spool that counts bytes only, with launchers that write the same amounts in every cycle. */
class Bench {
  readonly shares = new SpoolShares();
  readonly quotas: readonly EndpointQuota[];
  readonly #rates: readonly number[];
  bytes = 0;
  #appendedBytes = 0;

  /** `rates` are compressed bytes a cycle of each launcher. */
  constructor(rates: readonly number[], bytes = 0) {
    const clock = new FakeClock();
    this.shares.maxBytes = CAP;
    this.quotas = rates.map(() => new EndpointQuota(LAUNCHER_BUDGET, clock));
    this.#rates = rates;
    this.bytes = bytes;
  }

  cycle(): void {
    const launchers = new Map(
      this.quotas.map((quota, index) => [quota, quota.hasSpoolShare ? (this.#rates[index] ?? 0) / RATIO : 0]),
    );
    const written = [...launchers.values()].reduce((sum, raw) => sum + raw, 0);
    this.#appendedBytes += written * RATIO;
    this.bytes = Math.min(CAP, this.bytes + written * RATIO);
    this.#update(launchers, written);
  }

  /** The targets take everything. */
  drain(): void {
    this.bytes = 0;
    this.#update(new Map(), 0);
  }

  #update(launchers: ReadonlyMap<EndpointQuota, number>, bytes: number): void {
    const stats = { bytes: this.bytes, appendedBytes: this.#appendedBytes };
    this.shares.update(this.quotas, { launchers, bytes }, stats);
  }

  get cut(): number[] {
    return this.quotas.flatMap(({ hasSpoolShare }, index) => (hasSpoolShare ? [] : [index]));
  }
}

test("launchers that write similar amounts are never cut, also when the spool is full", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1_000, max: 2_000 }), { minLength: 1, maxLength: 20 }), (rates) => {
      const bench = new Bench(rates);
      for (let cycle = 0; cycle < 1_500; cycle++) {
        bench.cycle();
        assert.deepEqual(bench.cut, []);
      }
    }),
    { numRuns: 20 },
  );
});

test("launchers that fill the spool are cut, before the cap drops what others have", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 10, max: 30 }), (hostile, honest) => {
      const rates = [...Array.from({ length: hostile }, () => 2_000), ...Array.from({ length: honest }, () => 20)];
      const bench = new Bench(rates);
      // Until the honest launchers have nearly half of their parts.
      const guaranteed = (0.4 * CAP * honest) / (honest + hostile);
      for (let cycle = 0; cycle < guaranteed / (20 * honest); cycle++) bench.cycle();
      assert.deepEqual(
        bench.cut,
        Array.from({ length: hostile }, (_, index) => index),
      );
      assert.ok(bench.bytes < CAP);
      bench.drain();
      assert.deepEqual(bench.cut, []);
    }),
    { numRuns: 30 },
  );
});

test("after a restart with a full spool, no launcher is cut for the lines of the last process", () => {
  const bench = new Bench([1_000, 1_500, 800], CAP);
  for (let cycle = 0; cycle < 1_000; cycle++) {
    bench.cycle();
    assert.deepEqual(bench.cut, []);
  }
});

test("after a restart, a launcher that fills the spool is cut earlier", () => {
  const cyclesUntilCut = (bytes: number): number => {
    const bench = new Bench([10_000, ...Array.from({ length: 9 }, () => 100)], bytes);
    let cycles = 0;
    for (; bench.cut.length === 0; cycles++) bench.cycle();
    return cycles;
  };
  assert.ok(cyclesUntilCut(CAP / 2) < cyclesUntilCut(0) * 0.6);
});
