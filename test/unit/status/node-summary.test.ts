import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeReport } from "../../../src/status/node-report.ts";
import { readNodeSummary } from "../../../src/status/node-summary.ts";
import { observation } from "../../support/observation.ts";

const metadata = { name: "node-a" };

test("of a report is kept what the status of an object is made of", () => {
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

test("an object without a report, as between its creation and its first status, is one that has not reported", () => {
  for (const status of [undefined, {}, { libvirt: { versions: [], endpoints: 0, domains: 0 } }])
    assert.deepEqual(readNodeSummary({ metadata, status }), { node: "node-a", status: undefined });
});

test("a report of another version that lacks parts is read as far as it goes", () => {
  assert.deepEqual(readNodeSummary({ metadata, status: { selectedBy: ["default"] } }), {
    node: "node-a",
    status: { selectedBy: ["default"], agent: { reportedAt: "" }, conditions: [] },
  });
});

test("what is no object is none", () => {
  for (const raw of [undefined, null, {}, { metadata: {} }]) assert.equal(readNodeSummary(raw), undefined);
});
