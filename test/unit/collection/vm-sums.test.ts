import assert from "node:assert/strict";
import { test } from "node:test";
import { VmSummer } from "../../../src/collection/vm-sums.ts";
import { sample } from "../../support/samples.ts";

test("the sums count the VMs by state, and add up the values that are known", () => {
  const summer = new VmSummer(true);
  const { cpu, memory } = sample();
  summer.add({ outcome: "failed", samples: [], stuck: [] });
  summer.add({
    outcome: "collected",
    samples: [sample(), sample({ state: 3, memory: { ...memory, rss: undefined } })],
    stuck: ["web"],
  });
  summer.add({ outcome: "collected", samples: [sample({ state: 2, cpu: { ...cpu, count: 4 } })], stuck: [] });
  assert.deepEqual(summer.sums, {
    ...{ vms: 3, running: 2, paused: 1, stuck: 1 },
    vcpus: 8,
    memoryMaxKib: 3n * 1_048_576n,
    memoryRssKib: 800_000n,
    cpuTimeNs: 27_000_000_000n,
  });
});

test("without VMs there are counts and no sums", () => {
  const summer = new VmSummer(true);
  summer.add({ outcome: "absent", samples: [], stuck: [] });
  const { vms, running, paused, stuck, ...sums } = summer.sums ?? {};
  assert.deepEqual([vms, running, paused, stuck], [0, 0, 0, 0]);
  assert.deepEqual(new Set(Object.values(sums)), new Set([undefined]));
});

test("if no endpoint could be collected there are no counts, which would say that there is no VM", () => {
  for (const outcome of ["failed", "skipped"] as const) {
    const summer = new VmSummer(true);
    summer.add({ outcome, samples: [], stuck: [] });
    assert.equal(summer.sums, undefined);
  }
});

test("if no QEMU is called, it is not known how many are stuck", () => {
  const summer = new VmSummer(false);
  summer.add({ outcome: "collected", samples: [sample()], stuck: [] });
  assert.deepEqual([summer.sums?.vms, summer.sums?.stuck], [1, undefined]);
});
