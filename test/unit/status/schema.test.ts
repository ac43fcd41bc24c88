import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { check, type Finding } from "../../../src/config/check.ts";
import type { Schema } from "../../../src/config/json-schema.ts";
import { aggregate } from "../../../src/status/aggregate.ts";
import { TELEMETRY_CONFIG_STATUS } from "../../../src/status/config-status.ts";
import { nodeReport, type NodeObservation } from "../../../src/status/node-report.ts";
import { NODE_TELEMETRY_STATUS } from "../../../src/status/node-telemetry.ts";
import { observation } from "../../support/observation.ts";

const NOW = Date.UTC(2026, 0, 1);

/** Longer than any bound, because texts of a broken daemon or target appear in messages. */
const longText = fc.oneof(fc.string(), fc.string({ minLength: 1_100, maxLength: 3_000, unit: "grapheme" }));

const anyObservation = fc
  .record({
    selectedBy: fc.array(fc.constant("default"), { maxLength: 100 }),
    versions: fc.array(fc.constantFrom("9.0.0", "12.5.0"), { maxLength: 40 }),
    denied: fc.boolean(),
    message: longText,
    failing: fc.boolean(),
    config: fc.boolean(),
    targets: fc.integer({ min: 0, max: 8 }),
  })
  .map(({ selectedBy, versions, denied, message, failing, config, targets }): NodeObservation => {
    const state = failing ? ("Failing" as const) : ("Delivering" as const);
    return observation({
      selectedBy,
      ...(!config && { config: undefined }),
      configFault: failing ? { reason: "InvalidConfig", message } : undefined,
      libvirt: {
        versions,
        endpoints: 300,
        answering: denied ? 0 : 300,
        domains: 300,
        failures: denied ? [{ where: "/p", denied, message }] : [],
        misbehavior: failing ? [message] : [],
        sampledLessOften: failing ? [message] : [],
      },
      targets: Array.from({ length: targets }, (_, index) => ({
        name: `${"t".repeat(62)}${index}`,
        state,
        sinceMs: NOW,
        reason: failing ? "TargetUnreachable" : undefined,
        detail: message,
      })),
    });
  });

function findings(schema: unknown, value: unknown): Finding[] {
  const found: Finding[] = [];
  check(schema as Schema, value, ["status"], (finding) => found.push(finding));
  return found;
}

test("every report of an agent is valid in the NodeTelemetry schema", () => {
  fc.assert(
    fc.property(anyObservation, (seen) => {
      assert.deepEqual(findings(NODE_TELEMETRY_STATUS, nodeReport(seen, undefined, NOW)), []);
    }),
  );
});

test("every aggregated status is valid in the TelemetryConfig schema", () => {
  fc.assert(
    fc.property(fc.array(anyObservation, { maxLength: 15 }), fc.array(longText, { maxLength: 9 }), (seen, faults) => {
      const config = { name: "default", uid: "u1", generation: 3, targetCount: 2, suspended: false, status: undefined };
      const reports = seen.map((one, index) => ({ node: `node-${index}`, status: nodeReport(one, undefined, NOW) }));
      assert.deepEqual(findings(TELEMETRY_CONFIG_STATUS, aggregate({ ...config, faults }, reports, NOW)), []);
    }),
  );
});
