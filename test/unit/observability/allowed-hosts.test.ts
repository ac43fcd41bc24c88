import assert from "node:assert/strict";
import { test } from "node:test";
import { isAllowedHost, parseAllowedHosts } from "../../../src/observability/allowed-hosts.ts";

const NAMES = parseAllowedHosts(["Node-1.example.com", "metrics,metrics.telemetry.svc."]);

test("IP addresses, localhost, configured names and a missing header are allowed", () => {
  for (const host of [
    "10.0.0.1",
    "10.0.0.1:9090",
    "[::1]:9090",
    "[fd00::1]",
    "localhost:9090",
    "LOCALHOST",
    "localhost.",
  ])
    assert.ok(isAllowedHost(host, new Set()), host);
  for (const host of ["node-1.example.com:9090", "NODE-1.EXAMPLE.COM", "metrics", "metrics.telemetry.svc", "metrics."])
    assert.ok(isAllowedHost(host, NAMES), host);
  assert.ok(isAllowedHost(undefined, NAMES));
});

test("other names and broken headers are not allowed", () => {
  for (const host of [
    "evil.example",
    "localhost.evil.example",
    "10.0.0.1.evil.example",
    "1.2.3",
    "",
    ":9090",
    "a b",
    "[x]",
    "::1",
  ])
    assert.ok(!isAllowedHost(host, NAMES), host);
});

test("a name with a port, an address in a URL and an empty name are usage errors", () => {
  for (const name of ["a:90", "http://a", "", "a,,b", "*.example.com"])
    assert.throws(() => parseAllowedHosts([name]), { code: "E_USAGE", message: /^--allowed-host must be/ }, name);
});
