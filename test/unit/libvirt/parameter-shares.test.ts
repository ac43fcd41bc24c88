import assert from "node:assert/strict";
import { test } from "node:test";
import { OWN_PARAMETERS } from "../../../src/budget.ts";
import { ParameterShares } from "../../../src/libvirt/parameter-shares.ts";

const PER_SECOND = 3_000;

/** Launchers that are asked once in each period, and send what they are asked for. */
class Bench {
  readonly shares = new ParameterShares();
  readonly sizes = new Map<string, number>();
  readonly calls = new Map<string, number>();
  /** Parameters of each cycle. */
  readonly cycles: number[] = [];
  #nowMs = 1_000;
  readonly #keys = new Map<string, object>();

  run(cycles: number, periodMs = 2_000): void {
    for (let cycle = 0; cycle < cycles; cycle++) {
      let parameters = 0;
      for (const [name, size] of this.sizes) {
        if (!this.shares.allows(this.#keyOf(name), PER_SECOND, this.#nowMs)) continue;
        this.shares.record(this.#keyOf(name), size - OWN_PARAMETERS, this.#nowMs);
        this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
        parameters += size;
      }
      this.cycles.push(parameters);
      this.#nowMs += periodMs;
    }
  }

  isLimited(name: string): boolean {
    return this.shares.isLimited(this.#keyOf(name), PER_SECOND);
  }

  forget(name: string): void {
    this.shares.forget(this.#keyOf(name));
  }

  #keyOf(name: string): object {
    const key = this.#keys.get(name) ?? {};
    this.#keys.set(name, key);
    return key;
  }
}

test("500 launchers of ordinary VMs are called in every cycle", () => {
  const bench = new Bench();
  for (let vm = 0; vm < 500; vm++) bench.sizes.set(`vm-${vm}`, OWN_PARAMETERS);
  bench.run(20);
  assert.ok([...bench.calls.values()].every((calls) => calls === 20));
});

test("large VMs are called in every cycle while there is enough for all, also after a late cycle", () => {
  const bench = new Bench();
  for (const name of ["a", "b", "c"]) bench.sizes.set(name, OWN_PARAMETERS + 1_990);
  bench.run(10);
  bench.run(1, 2_400);
  bench.run(1, 1_600);
  bench.run(10);
  assert.deepEqual([...bench.calls.values()], [22, 22, 22]);
  assert.ok(!bench.isLimited("a"));
});

test("five launchers at their limit share what is left, in different cycles, and smaller ones lose nothing", () => {
  const bench = new Bench();
  for (let index = 0; index < 5; index++) bench.sizes.set(`hostile-${index}`, 8_192);
  bench.sizes.set("large", OWN_PARAMETERS + 1_000);
  bench.run(100);
  assert.equal(bench.calls.get("large"), 100);
  const hostile = [...bench.calls].filter(([name]) => name !== "large").map(([, calls]) => calls);
  // 5,000 parameters in a cycle are left for five that each want 7,680.
  assert.ok(
    hostile.every((calls) => calls >= 12 && calls <= 15),
    hostile.join(" "),
  );
  assert.ok(Math.max(...bench.cycles.slice(1)) <= 2 * 8_192 + OWN_PARAMETERS + 1_000);
  assert.ok(bench.isLimited("hostile-0") && !bench.isLimited("large"));
});

test("a launcher that sends a small reply now and then gets no more than its share", () => {
  const bench = new Bench();
  for (let index = 0; index < 5; index++) bench.sizes.set(`hostile-${index}`, 8_192);
  let sent = 0;
  for (let cycle = 0; cycle < 200; cycle++) {
    for (const name of bench.sizes.keys()) bench.sizes.set(name, cycle % 2 === 0 ? 8_192 : 1);
    bench.run(1);
    sent += bench.cycles.at(-1) ?? 0;
  }
  assert.ok(sent / 200 < 2 * (PER_SECOND * 2 + 5 * OWN_PARAMETERS), String(sent / 200));
});

test("a longer interval has room for more large VMs", () => {
  const bench = new Bench();
  for (let vm = 0; vm < 9; vm++) bench.sizes.set(`vm-${vm}`, 3_705);
  bench.run(10, 10_000);
  assert.ok([...bench.calls.values()].every((calls) => calls === 10));
});

test("a launcher that is gone leaves its share to the others", () => {
  const bench = new Bench();
  for (const name of ["a", "b", "c"]) bench.sizes.set(name, 4_000);
  bench.run(5);
  assert.ok(bench.isLimited("a"));
  bench.sizes.delete("c");
  bench.forget("c");
  bench.sizes.set("b", 2_000);
  bench.run(20);
  assert.ok(!bench.isLimited("a"));
});
