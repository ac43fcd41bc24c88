import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { VmEvent } from "../../../src/collection/vm-report.ts";
import type { Family } from "../../../src/contract.ts";
import { Encoder } from "../../../src/measurement/encoder.ts";
import { newLineCounters } from "../../../src/measurement/line-protocol.ts";
import type { LineQuota } from "../../../src/measurement/series.ts";
import { ALL } from "../../support/encode.ts";
import { sample } from "../../support/samples.ts";

const { identity, timestampMs } = sample();
const EVENTS: readonly VmEvent[] = [
  { kind: "io-error", detail: "paused-enospc", device: "root", count: 1 },
  { kind: "lifecycle", detail: "stopped-crashed", count: 1 },
  { kind: "reboot", count: 1 },
  { kind: "left-out", count: 30 },
].map((event, index) => ({ ...event, identity, timestampMs: timestampMs + index }) as VmEvent);

function encoder(families: readonly Family[] = ["Events"]): Encoder {
  return new Encoder({ ...ALL, families, node: "node-1" }, newLineCounters(), () => assert.fail("a value is missing"));
}

test("each event has a line with its own time, and no field that it lacks", () => {
  const events = encoder();
  for (const event of EVENTS) events.encodeReport(event);
  assert.equal(Buffer.from(events.take().bytes).toString(), readFileSync("test/golden/lines/events.lp", "utf8"));
});

test("an event has no line for targets without the family, and a sample none for those with only it", () => {
  const others = encoder(["Metrics"]);
  for (const event of EVENTS) others.encodeReport(event);
  assert.equal(others.take().lines, 0);
  const events = encoder();
  events.encode(sample());
  assert.equal(events.take().lines, 0);
});

test("a launcher's quota decides about the lines of its events, and counts their bytes", () => {
  let bytes = 0;
  const quota: LineQuota = {
    admits: ({ text }) => text.includes("event=reboot"),
    addBytes: (more) => void (bytes += more),
  };
  const events = encoder();
  for (const event of EVENTS) events.encodeReport(event, quota);
  const batch = events.take();
  assert.deepEqual([batch.lines, batch.bytes.length], [1, bytes]);
});
