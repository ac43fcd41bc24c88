import assert from "node:assert/strict";
import { test } from "node:test";
import { SERIES_TAGS } from "../../../src/contract.ts";
import { newLineCounters } from "../../../src/measurement/line-protocol.ts";
import { Encoder } from "../../../src/measurement/encoder.ts";
import { isSeriesOf } from "../../../src/measurement/series.ts";
import { ALL } from "../../support/encode.ts";
import { INHERITED_NAMES } from "../../support/inherited-names.ts";
import { disk, nic, sample, throwingSample } from "../../support/samples.ts";

const MEASUREMENT = {};

test("another value of any tag of a part is another series", () => {
  const part = { device: "a" };
  const known = { measurement: MEASUREMENT, part, text: "", countedIn: undefined };
  assert.ok(isSeriesOf(known, MEASUREMENT, { device: "a" }));
  assert.ok(!isSeriesOf(known, {}, part));
  assert.ok(!isSeriesOf(known, MEASUREMENT, undefined));
  for (const key of [...SERIES_TAGS.part, ...SERIES_TAGS.origin])
    assert.ok(!isSeriesOf(known, MEASUREMENT, { ...part, [key]: "b" }), key);
});

test("an encoder that knows a VM writes the same lines as a new one, also after its devices change", () => {
  const { identity } = sample();
  const known = new Encoder(ALL, newLineCounters(), () => undefined);
  const take = (encoder: Encoder): string => Buffer.from(encoder.take().bytes).toString();
  const changes = [
    {},
    {},
    { nics: [nic("tap1")] },
    { nics: [nic("tap0", { network: "blue" }), nic("tap1")] },
    { nics: [nic("tap0", { network: "green" }), nic("tap1")], disks: [disk("vdb"), disk("vda")] },
    { nics: undefined },
    { nics: [], disks: [] },
    {},
  ];
  for (const change of changes) {
    const one = sample({ identity, ...change });
    known.encode(one);
    const fresh = new Encoder(ALL, newLineCounters(), () => undefined);
    fresh.encode(one);
    assert.equal(take(known), take(fresh));
    assert.throws(() => {
      known.encode(throwingSample({ identity }));
    });
  }
});

test("label tags with the names of inherited properties are tags like others", () => {
  for (const key of INHERITED_NAMES) {
    const encoder = new Encoder({ ...ALL, families: ["Metrics"] }, newLineCounters(), () => undefined);
    encoder.encode(sample({ identity: { id: 1, uuid: "u", name: key, namespace: key, tags: [[key, key]] } }));
    const line = Buffer.from(encoder.take().bytes).toString();
    assert.ok(line.startsWith(`vm_metrics,VMID=1,name=${key},uuid=u,namespace=${key},${key}=${key} `), line);
  }
});
