import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeReport } from "../../../src/status/node-report.ts";
import { readNodeSummary } from "../../../src/status/node-summary.ts";
import { observation } from "../../support/observation.ts";

const metadata = { name: "node-a" };

test("a summary has only the fields that the controller needs", () => {
  const status = nodeReport(observation(), undefined, Date.UTC(2026, 0, 1));
  assert.deepEqual(readNodeSummary({ metadata, status }), {
    node: "node-a",
    status: {
      selectedBy: ["default"],
      config: { name: "default", uid: "u1", observedGeneration: 3 },
      agent: { reportedAt: "2026-01-01T00:00:00Z" },
      conditions: status.conditions.filter(({ type }) => type === "Ready"),
    },
  });
});

test("an object without a status has not reported", () => {
  for (const status of [undefined, {}, { libvirt: { versions: [], endpoints: 0, domains: 0 } }])
    assert.deepEqual(readNodeSummary({ metadata, status }), { node: "node-a", status: undefined });
});

test("a report of another version may lack fields", () => {
  assert.deepEqual(readNodeSummary({ metadata, status: { selectedBy: ["default"] } }), {
    node: "node-a",
    status: { selectedBy: ["default"], agent: { reportedAt: "" }, conditions: [] },
  });
});

test("a value that is not an object has no summary", () => {
  for (const raw of [undefined, null, {}, { metadata: {} }]) assert.equal(readNodeSummary(raw), undefined);
});
