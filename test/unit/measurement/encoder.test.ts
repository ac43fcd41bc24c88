import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { newLineCounters } from "../../../src/measurement/line-protocol.ts";
import { Encoder } from "../../../src/measurement/encoder.ts";
import { ALL, encode } from "../../support/encode.ts";
import { disk, nic, sample } from "../../support/samples.ts";

async function golden(name: string): Promise<string> {
  return readFile(new URL(`../../golden/lines/${name}`, import.meta.url), "utf8");
}

test("a plain VM has four measurements with all fields in the order of the contract", async () => {
  const { text, lines, missing } = encode([sample()]);
  assert.equal(text, await golden("plain-domain.lp"));
  assert.equal(lines, 6);
  assert.deepEqual(missing, []);
});

test("a KubeVirt VM has all tags of the contract in order", async () => {
  const one = sample({
    identity: {
      id: 1,
      uuid: "6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a01",
      name: "web",
      namespace: "shop",
      tags: [["app", "a=b"]],
    },
    nics: [nic("tap0", { network: "default" })],
    disks: [disk("vda", { volume: "rootdisk" })],
  });
  const { text } = encode([one], { node: "node-1", staticTags: { site: "a b" }, measurementPrefix: "kv_" });
  assert.equal(text, await golden("kubevirt-domain.lp"));
});

test("the first sample of a VM has no vm_features", () => {
  assert.doesNotMatch(encode([sample({ previous: undefined })]).text, /vm_features/);
});

test("vm_features is not written if no time passed or the memory is unknown", () => {
  const one = sample();
  assert.doesNotMatch(encode([{ ...one, memory: { ...one.memory, monotonicMs: 10_000 } }]).text, /vm_features/);
  assert.doesNotMatch(encode([{ ...one, memory: { ...one.memory, current: undefined } }]).text, /vm_features/);
});

test("a missing value is 0 with Zero, no field with Omit, and reported with both", () => {
  const one = sample({ cpu: { count: 2, time: undefined, user: undefined, system: undefined } });
  const zero = encode([one], { families: ["Metrics"] });
  assert.match(zero.text, /,cputime_ns=0i /);
  const omit = encode([one], { families: ["Metrics"], onMissing: "Omit" });
  assert.doesNotMatch(omit.text, /cputime_ns/);
  assert.deepEqual([zero.missing, omit.missing], [["vm_metrics.cputime_ns"], ["vm_metrics.cputime_ns"]]);
});

test("with Omit, a device without values has no line", () => {
  const empty = nic("tap9", {
    rxBytes: undefined,
    rxPackets: undefined,
    rxErrors: undefined,
    rxDrops: undefined,
    txBytes: undefined,
    txPackets: undefined,
    txErrors: undefined,
    txDrops: undefined,
  });
  const { text, lines } = encode([sample({ nics: [empty], disks: [] })], { families: ["Devices"], onMissing: "Omit" });
  assert.equal(text, "");
  assert.equal(lines, 0);
});

test("without values of QEMU there are no disk lines and no totals", () => {
  const { text } = encode([sample({ disks: undefined })]);
  assert.doesNotMatch(text, /vm_totals|devtype=disk/);
  assert.match(text, /vm_metrics/);
  assert.match(text, /devtype=nic/);
});

test("totals are the sums of the devices, exact above 2^53", () => {
  const large = 2n ** 53n + 1n;
  const { text } = encode([sample({ disks: [disk("vda", { readBytes: large }), disk("vdb", { readBytes: large })] })]);
  assert.match(text, new RegExp(`disk_rd_bytes=${large * 2n}i`));
});

test("integers beyond int64 are clamped and counted", () => {
  const { text, counters } = encode([sample({ nics: [nic("tap0", { rxBytes: 2n ** 64n - 1n })], disks: [] })], {
    families: ["Devices"],
  });
  assert.match(text, /rxbytes=9223372036854775807i/);
  assert.equal(counters.clampedIntegers, 1);
});

test("tags that line protocol cannot represent are changed and counted once per VM", () => {
  const identity = { id: 1, uuid: "u", name: "a\nb,c d=e\\" };
  const { text, counters } = encode([sample({ identity }), sample({ identity })], { families: ["Metrics"] });
  assert.match(text, /^vm_metrics,VMID=1,name=a\\ b\\,c\\ d\\=e,uuid=u state/);
  assert.equal(counters.sanitizedTags, 1);
});

test("each state has the predecessor's name, and unknown states are `no state`", () => {
  const states = [0, 1, 2, 3, 4, 5, 6, 7, 99, undefined].map((state) => {
    const { text } = encode([sample({ state })], { families: ["Metrics"] });
    return /state="([^"]*)"/.exec(text)?.[1];
  });
  assert.deepEqual(states, [
    "no state",
    "running",
    "blocked",
    "paused",
    "shutdown",
    "shutoff",
    "crashed",
    "suspended",
    "no state",
    "no state",
  ]);
});

test("a sample that fails has no lines, and the samples before and after it have all", () => {
  const encoder = new Encoder(ALL, newLineCounters(), () => undefined);
  const broken = sample();
  Object.defineProperty(broken, "disks", {
    get: () => {
      throw new Error("no such thing");
    },
  });
  encoder.encode(sample());
  assert.throws(() => {
    encoder.encode(broken);
  }, /no such thing/);
  encoder.encode(sample());
  assert.equal(encoder.take().lines, 12);
});
