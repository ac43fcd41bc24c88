import assert from "node:assert/strict";
import { test } from "node:test";
import { guestOf } from "../../../benchmarks/hostile/guests.ts";
import { honestVms, INTERVAL_MS } from "../../../benchmarks/hostile/plan.ts";
import { FORGED_DEVICE, SampleLedger, windowOf } from "../../../benchmarks/hostile/sample-ledger.ts";

const START_MS = 1_800_000_000_000;
const CYCLES = 5;
const VMS = honestVms().map((vm) => ({ name: vm.name, uuid: guestOf(vm).ref.uuid }));
const WINDOW = windowOf(CYCLES, START_MS + 100, START_MS);

/** Returns the line of a sample; `atMs` counts from the start. */
function line({ name, uuid }: { name: string; uuid: string }, atMs: number, measurement = "vm_metrics"): string {
  return `${measurement},VMID=1,name=${name},uuid=${uuid},namespace=tenant-b cpu_count=1i ${START_MS + atMs}000000\n`;
}

/** Returns a ledger of all samples; `atMs` changes the time of one, and leaves it out if it returns undefined. */
function ledgerOf(atMs: (name: string, cycle: number) => number | undefined): SampleLedger {
  const ledger = new SampleLedger();
  for (const vm of VMS)
    for (let cycle = 0; cycle <= CYCLES + 1; cycle++) {
      const time = atMs(vm.name, cycle);
      if (time !== undefined) ledger.take(line(vm, time));
    }
  return ledger;
}

test("all samples are counted once, also if a line arrives twice", () => {
  const ledger = ledgerOf((_name, cycle) => cycle * INTERVAL_MS + 3);
  for (const vm of VMS) ledger.take(line(vm, INTERVAL_MS + 3));
  assert.deepEqual(ledger.samples(WINDOW), { due: 100, taken: 100, worstGapMs: INTERVAL_MS });
  assert.deepEqual(ledger.hostile, { lines: 0, series: 0, forged: 0 });
});

test("a sample that is up to one interval late is not missing", () => {
  const ledger = ledgerOf((name, cycle) => cycle * INTERVAL_MS + (name === "honest-00" && cycle === 3 ? 1_900 : 0));
  assert.deepEqual(ledger.samples(WINDOW), { due: 100, taken: 100, worstGapMs: INTERVAL_MS + 1_900 });
});

test("two cycles in quick succession are the late one and the one that is due", () => {
  const ledger = ledgerOf((_name, cycle) => cycle * INTERVAL_MS + (cycle === 2 ? 1_800 : 0));
  assert.equal(ledger.samples(WINDOW).taken, 100);
});

test("a sample that is later than one interval is missing", () => {
  const ledger = ledgerOf((name, cycle) =>
    name === "honest-07" && (cycle === 2 || cycle === 3) ? undefined : cycle * INTERVAL_MS,
  );
  assert.deepEqual(ledger.samples(WINDOW), { due: 100, taken: 98, worstGapMs: 3 * INTERVAL_MS });
});

test("a VM without samples has a gap as long as the window", () => {
  const ledger = ledgerOf((name, cycle) => (name === "honest-19" ? undefined : cycle * INTERVAL_MS));
  const { taken, worstGapMs } = ledger.samples(WINDOW);
  assert.deepEqual([ledger.complete, taken], [false, 95]);
  assert.equal(worstGapMs, (CYCLES + 1) * INTERVAL_MS - 100);
});

test("lines of other VMs are counted, and each of their series once", () => {
  const ledger = new SampleLedger();
  for (const device of ["a", "b", "a"])
    ledger.take(`vm_devices,VMID=1,name=hostile-0,uuid=u,device=${device}\\ x rxbytes=1i 1800000000000000000\n`);
  assert.deepEqual(ledger.hostile, { lines: 3, series: 2, forged: 0 });
});

test("a line with another VM's name or UUID is forged", () => {
  const [victim, other] = VMS;
  assert.ok(victim !== undefined && other !== undefined);
  const ledger = new SampleLedger();
  ledger.take(line({ ...victim, uuid: other.uuid }, 0));
  ledger.take(line({ name: "hostile-0", uuid: victim.uuid }, 0));
  ledger.take(line(victim, 0, "vm_devices").replace(" ", `,device=${FORGED_DEVICE} `));
  assert.equal(ledger.hostile.forged, 3);
});
