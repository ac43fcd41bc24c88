import assert from "node:assert/strict";
import { test } from "node:test";
import { clientOf } from "../../../src/observability/client-address.ts";

test("the addresses of one IPv6 network are one client, and IPv4 addresses are several", () => {
  const network = ["2001:db8::1", "2001:db8::2:3", "2001:db8:0:0:1:2:3:4", "2001:db8:0:0::"];
  assert.deepEqual(new Set(network.map(clientOf)), new Set(["2001:db8:0:0"]));
  assert.equal(clientOf("2001:db8:0:1::1"), "2001:db8:0:1");
  assert.equal(clientOf("fe80::1%eth0"), "fe80:0:0:0");
  assert.equal(clientOf("::1"), "0:0:0:0");
  assert.deepEqual(["10.0.0.1", "::ffff:10.0.0.1", "::ffff:10.0.0.2"].map(clientOf), [
    "10.0.0.1",
    "10.0.0.1",
    "10.0.0.2",
  ]);
  assert.equal(clientOf(), "");
});
