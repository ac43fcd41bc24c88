import assert from "node:assert/strict";
import { test } from "node:test";
import type { DomainSample } from "../../../src/collection/domain-sample.ts";
import { domainOverviews } from "../../../src/collection/domain-overview.ts";
import { disk, sample } from "../../support/samples.ts";

test("a domain's label has namespace and name, and libvirt's name tells whether it is stuck", () => {
  const { identity } = sample();
  const vm = sample({ identity: { ...identity, namespace: "shop", name: "web" } });
  const plain = sample({ identity: { ...identity, id: 2, namespace: "", name: "web" } });
  const overviews = domainOverviews({ samples: [vm, plain], before: [], details: new Map(), stuck: ["shop_web"] });
  assert.deepEqual(
    overviews.map(({ label, stuck, load }) => [label, stuck, load]),
    [
      ["shop/web", true, undefined],
      ["web", false, undefined],
    ],
  );
});

/** Returns a sample of the VM at this second, with a CPU time and, if devices are read, one disk. */
function at(second: number, reads?: bigint): DomainSample {
  const { memory, cpu } = sample();
  return sample({
    cpu: { ...cpu, time: BigInt(second) * 500_000_000n },
    memory: { ...memory, monotonicMs: second * 1_000 },
    nics: reads === undefined ? undefined : [],
    disks: reads === undefined ? undefined : [disk("vda", { readRequests: reads })],
  });
}

test("a cycle without devices shows the rates between the last two cycles with devices", () => {
  const [first, second] = [[at(0, 0n)], [at(10, 100n)]];
  const devices = { before: first, samples: second };
  for (const last of [15, 20, 25, 30]) {
    const [overview] = domainOverviews({
      samples: [at(last)],
      before: [at(last - 5)],
      devices,
      stuck: [],
      details: new Map(),
    });
    assert.deepEqual([overview?.load?.diskReads, overview?.load?.cpuPercent], [10, 50], String(last));
  }
  const [late] = domainOverviews({ samples: [at(31)], before: [at(26)], devices, stuck: [], details: new Map() });
  assert.deepEqual([late?.load?.diskReads, late?.load?.cpuPercent], [undefined, 50], "the family was switched off");
});

test("a cycle with devices after one without shows the rates since the last cycle with devices", () => {
  const samples = [at(20, 300n)];
  const devices = { before: [at(10, 100n)], samples };
  const [overview] = domainOverviews({ samples, before: [at(15)], devices, stuck: [], details: new Map() });
  assert.deepEqual([overview?.load?.diskReads, overview?.load?.cpuPercent], [20, 50]);
});
