import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { VmJob } from "../../../src/collection/vm-report.ts";
import type { Family } from "../../../src/contract.ts";
import type { TypedValue } from "../../../src/libvirt/types.ts";
import { Encoder } from "../../../src/measurement/encoder.ts";
import { newLineCounters } from "../../../src/measurement/line-protocol.ts";
import { ALL } from "../../support/encode.ts";
import { sample } from "../../support/samples.ts";

const { identity, timestampMs } = sample();
const PARAMS: ReadonlyMap<string, TypedValue> = new Map<string, TypedValue>([
  ["operation", 5],
  ["time_elapsed", 12_000n],
  ["time_remaining", 3_000n],
  ["downtime", 80n],
  ["setup_time", 12n],
  ["data_total", 8_589_934_592n],
  ["data_processed", 6_442_450_944n],
  ["data_remaining", 1_610_612_736n],
  ["memory_bps", 536_870_912n],
  ["memory_dirty_rate", 2_000n],
  ["memory_iteration", 2n],
  ["auto_converge_throttle", 20],
  ["compression_cache", 67_108_864n],
]);

function encode(jobs: readonly VmJob[], families: readonly Family[] = ["Jobs"]): string {
  const encoder = new Encoder({ ...ALL, families }, newLineCounters(), () => assert.fail("a value is missing"));
  for (const job of jobs) encoder.encodeReport(job);
  return Buffer.from(encoder.take().bytes).toString();
}

const ended: VmJob = { timestampMs, identity, operation: "migration-out", success: true, params: PARAMS };

test("a job has a line in each cycle, and one with its success at its end", () => {
  const second = { ...ended, timestampMs: timestampMs + 1_000, success: undefined };
  const params = new Map<string, TypedValue>([["time_elapsed", 900n]]);
  const failed = { ...ended, timestampMs: timestampMs + 2_000, operation: "backup", success: false, params };
  assert.equal(encode([ended, second, failed]), readFileSync("test/golden/lines/jobs.lp", "utf8"));
});

test("a job has no line for targets without the family", () => {
  assert.equal(encode([ended], ["Metrics", "Events"]), "");
});
