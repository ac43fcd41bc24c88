import assert from "node:assert/strict";
import { test } from "node:test";
import type { EffectiveTarget } from "../../../src/config/resolve.ts";
import { configuredProtocol, PROTOCOLS } from "../../../src/delivery/protocols.ts";
import { secret, targetSettings } from "../../support/delivery.ts";

test("every version of InfluxDB has the same protocol", () => {
  for (const protocol of [
    { version: "v1", database: "metrics" },
    { version: "v2", org: "org", bucket: "metrics" },
    { version: "v3", database: "metrics", api: "Native" },
  ] as const)
    assert.equal(configuredProtocol(targetSettings({ protocol })), PROTOCOLS.influx);
});

test("two targets have the same destination if they store lines in the same place", () => {
  const { destination } = PROTOCOLS.influx;
  const target = targetSettings({ name: "one", timeoutMs: 1_000 });
  assert.equal(destination(target), destination(targetSettings({ name: "other" })));
  const tenant = (value: string): EffectiveTarget => ({ ...target, headers: [{ name: "X-Scope-OrgID", value }] });
  assert.equal(destination(tenant("a")), destination({ ...tenant("a"), name: "other" }));
  assert.notEqual(destination(tenant("a")), destination(tenant("b")));
  const withKey = (value: string): EffectiveTarget => ({
    ...target,
    headers: [{ name: "X-Key", value: secret(value) }],
  });
  assert.equal(destination(withKey("a")), destination(withKey("b")));
  assert.notEqual(destination(target), destination({ ...target, url: "http://127.0.0.1:2" }));
  assert.notEqual(destination(target), destination({ ...target, protocol: { version: "v1", database: "metrics" } }));
});
