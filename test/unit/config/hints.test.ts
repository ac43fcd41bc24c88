import assert from "node:assert/strict";
import { test } from "node:test";
import { formatPath } from "../../../src/config/check.ts";
import { parseConfig } from "../../../src/config/parse.ts";
import { CLUSTER_SPEC, changed, configText } from "../../support/config.ts";

function faultsOf(spec: unknown): string[] {
  const { faults = [] } = parseConfig(configText(spec), { cluster: true });
  return faults.map(({ path, message }) => `${path}: ${message}`);
}

for (const [path, value, message] of [
  [["collection", "interval"], 5, "must be a duration such as 5s, 500ms or 1h30m: the unit is missing, write 5s"],
  [["collection", "interval"], { toString: 1 }, "must be a string, is an object"],
  [["collection", "interval"], [5], "must be a string, is a list"],
  [["collection", "interval"], "5", "must be a duration such as 5s, 500ms or 1h30m: the unit is missing, write 5s"],
  [["buffer", "maxAge"], "2d", "must be a duration such as 5s, 500ms or 1h30m: there is no unit for days, write 48h"],
  [["buffer", "maxMiB"], "4GB", "must be a whole number, is a string: write the number without the unit, in MiB: 4096"],
  [["buffer", "maxAge"], "1w", "must be a duration such as 5s, 500ms or 1h30m: there is no unit for weeks, write 168h"],
  [
    ["buffer", "maxAge"],
    "7 days",
    "must be a duration such as 5s, 500ms or 1h30m: there is no unit for days, write 168h",
  ],
  [["collection", "interval"], 0.5, "must be a duration such as 5s, 500ms or 1h30m: the unit is missing, write 500ms"],
  [
    ["deviceCache", "ttl"],
    "5min",
    "must be a duration such as 5s, 500ms or 1h30m: the units are h, m, s and ms, write 5m",
  ],
  [["deviceCache", "ttl"], "1h 30m", "must be a duration such as 5s, 500ms or 1h30m: write 1h30m"],
  [["buffer", "maxAge"], "long", "must be a duration such as 5s, 500ms or 1h30m"],
  [
    ["buffer", "maxMiB"],
    "4 Gi",
    "must be a whole number, is a string: write the number without the unit, in MiB: 4096",
  ],
  [["buffer", "maxMiB"], "64kB", "must be a whole number, is a string: write the number without the unit"],
  [["buffer", "maxMiB"], "512", "must be a whole number, is a string: write the number without quotation marks"],
  [["buffer", "maxMiB"], "much", "must be a whole number, is a string"],
  [["targets", 0, "families"], "Totals", "must be a list, is a string: write a list, such as [Metrics]"],
  [["collection", "families"], ["Totals", "vm_metrics"], "Raw`; did you mean `Metrics`?"],
  [["tags", "static"], ["a"], "must be an object, is a list: write {key: value}"],
  [["targets", 0, "headers"], { a: "b" }, "must be a list, is an object: write a list of {name: ...}"],
  [
    ["targets", 0, "token"],
    "s3cr3t",
    "is not a known field: put the value into a Secret, not into the configuration, and name the Secret in `v1.credentialsSecretRef` or `v2.tokenSecretRef` or `v3.tokenSecretRef`",
  ],
  [
    ["targets", 0, "v1", "apiKey"],
    "s3cr3t",
    "is not a known field: put the value into a Secret, not into the configuration, and name the Secret in `credentialsSecretRef`",
  ],
  [
    ["targets", 1, "v2", "tokenSecretRef", "value"],
    "s3cr3t",
    "is not a known field: put the value into a Secret, not into the configuration; `name` names the Secret, and `key` the key in it",
  ],
  [["targets", 1, "v2", "tokenSecretRef", "secretName"], "a", "is not a known field; known are name, key"],
  [["tags", "vmLabels"], ["app"], "must be an object, is a string: write {key: ...}"],
  [["targets", 1, "v2", "tokenSecretRef"], "s3cr3t", "must be an object, is a string: write {name: ...}"],
  [
    ["targets", 1, "v2", "token"],
    "s3cr3t",
    "is not a known field: put the value into a Secret, not into the configuration, and name the Secret in `tokenSecretRef`",
  ],
  [
    ["targets", 0, "v1", "password"],
    "s3cr3t",
    "is not a known field: put the value into a Secret, not into the configuration, and name the Secret in `credentialsSecretRef`",
  ],
  [
    ["targets", 0, "url"],
    "influx:8086",
    "must be an http or https URL that begins with its scheme, such as https://influxdb.example.com:8086",
  ],
] as const)
  test(`${formatPath(path)}: ${JSON.stringify(value)} is a fault with its correction`, () => {
    const [fault = "", ...others] = faultsOf(changed(CLUSTER_SPEC, path, value));
    assert.ok(fault.endsWith(message), fault);
    assert.deepEqual(others, []);
  });
