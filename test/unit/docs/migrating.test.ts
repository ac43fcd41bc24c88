import assert from "node:assert/strict";
import { test } from "node:test";
import { docTables } from "../../support/docs.ts";
import { goldenPoints } from "../../support/golden-lines.ts";

/** Every written field, such as `vm_devices.rxbytes`. */
const fields = new Set(
  goldenPoints().flatMap(({ measurement, fields: written }) =>
    [...written.keys()].map((field) => `${measurement}.${field}`),
  ),
);
/** Fields that the agent computes. */
const COMPUTED =
  /_latency_us$|_percent$|^vm_cpu\.(?:steal|wait)_ns$|^vm_status\.(?!reason)|^vm_node|^vm_agent|\.(?:guest_stats_age_s|ballooned_kb|used_kb|overhead_kb)$/;
const mapped = docTables("docs/migrating.md").filter(({ columns }) => columns[1] === "here");

function oursIn(rows: readonly (readonly string[])[]): string[] {
  return rows.flatMap(([, here = ""]) => [...here.matchAll(/`(vm_\w+\.\w+)`/g)].map(([, field = ""]) => field));
}

test("old names map to existing fields, each once", () => {
  assert.equal(mapped.length, 2);
  for (const { rows } of mapped) {
    const ours = oursIn(rows);
    assert.ok(ours.length > 20);
    assert.deepEqual(ours, [...new Set(ours)]);
    for (const field of ours) assert.ok(fields.has(field), field);
  }
});

test("the table of Telegraf has every field except sums and slopes", () => {
  const ours = new Set(oursIn(mapped[0]?.rows ?? []));
  const missing = [...fields].filter(
    (field) =>
      !ours.has(field) && !/^vm_(?:features|vcpus\.cpu$|totals\.(?:net|disk)_)/.test(field) && !COMPUTED.test(field),
  );
  assert.deepEqual(missing, []);
});
