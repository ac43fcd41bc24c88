import assert from "node:assert/strict";
import { test } from "node:test";
import { CHART, helm } from "../../scripts/helm.ts";
import { parseConfig } from "../../src/config/parse.ts";
import { VALUES_FILES } from "../support/chart.ts";

/** Returns the notes after an installation, rendered without a cluster. */
function notes(...args: string[]): string {
  const { ok, stdout, stderr } = helm("install", "kubevirt-telemetry", CHART, "--dry-run=client", ...args);
  assert.ok(ok, stderr);
  return stdout.slice(stdout.indexOf("\nNOTES:"));
}

test("the notes show a valid TelemetryConfig with a Secret that agents can read", () => {
  for (const [values, secret] of [
    ["{}", "influxdb"],
    ['{"secretNames":["mine"]}', "mine"],
    ['{"secretNames":[]}', "influxdb"],
  ] as const) {
    const [, shown = ""] = /<<END\n(.*?)\n {2}END/s.exec(notes("--set-json", values)) ?? [];
    const { config, faults } = parseConfig(shown.replace(/^ {2}/gm, ""), { cluster: true });
    assert.deepEqual(faults, undefined);
    assert.equal(config.spec.targets[0]?.v2?.tokenSecretRef?.name, secret);
  }
});

test("with telemetryConfig.create the notes show no other TelemetryConfig", () => {
  assert.doesNotMatch(notes("--values", VALUES_FILES.get("everything") ?? ""), /collect nothing until/);
});

const WARNINGS: readonly (readonly [what: string, values: string, reason: RegExp])[] = [
  [
    "a plain target",
    '{"telemetryConfig":{"create":true,"spec":{"targets":[{"name":"a","url":"http://a","tls":{"mode":"Plaintext"}}]}}}',
    /WARNING: the target a uses plain http/,
  ],
  ["a spool that is lost with its pod", '{"agent":{"spool":{"type":"emptyDir"}}}', /WARNING: with an emptyDir/],
  [
    "agents without the admission policy",
    '{"admissionPolicy":{"enabled":false}}',
    /WARNING: without the admission policy/,
  ],
  ["an agent that only removes its files", '{"agent":{"spool":{"remove":true}}}', /WARNING: agent.spool.remove is on/],
  ["accounts without rights", '{"rbac":{"create":false}}', /WARNING: rbac.create is off.*\n.*-agent and .*-controller/],
  ["targets out of reach", '{"networkPolicy":{"enabled":true}}', /WARNING: networkPolicy.targets is empty/],
];

test("the notes warn of each risk, and of nothing by default", () => {
  assert.doesNotMatch(notes(), /WARNING/);
  for (const [what, values, reason] of WARNINGS) assert.match(notes("--set-json", values), reason, what);
});
