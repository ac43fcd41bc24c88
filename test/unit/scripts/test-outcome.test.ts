import assert from "node:assert/strict";
import { test } from "node:test";
import { report } from "../../../scripts/test-outcome.ts";

const PASSED = { failed: false, flaky: [], skipped: [] };
const FILE = "test/integration/a.test.ts";

test("a run passes without a failure and fails with one", () => {
  for (const ci of [false, true]) {
    assert.deepEqual(report(PASSED, ci), { exitCode: 0, messages: ["all tests that ran passed"] });
    assert.deepEqual(report({ ...PASSED, failed: true }, ci), { exitCode: 1, messages: ["tests failed"] });
  }
});

test("a flaky file is listed, and fails the run in CI", () => {
  const flaky = { ...PASSED, flaky: [FILE] };
  assert.deepEqual([report(flaky, false).exitCode, report(flaky, true).exitCode], [0, 1]);
  for (const ci of [false, true]) assert.ok(report(flaky, ci).messages.includes(`!! ${FILE}`));
  assert.ok(report(flaky, true).messages.includes("with CI=true no test may pass only at its second try"));
});

test("a skipped file is listed, and fails the run in CI", () => {
  const skipped = { ...PASSED, skipped: [`${FILE} needs influxd`] };
  assert.deepEqual([report(skipped, false).exitCode, report(skipped, true).exitCode], [0, 1]);
  for (const ci of [false, true]) assert.ok(report(skipped, ci).messages.includes(`!! ${FILE} needs influxd`));
});
