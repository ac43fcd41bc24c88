import assert from "node:assert/strict";
import { test } from "node:test";
import { parseListenAddress } from "../../../src/observability/listen-address.ts";

test("an address is HOST:PORT, :PORT for all addresses, or off", () => {
  assert.deepEqual(parseListenAddress(":9090"), { host: undefined, port: 9090 });
  assert.deepEqual(parseListenAddress("127.0.0.1:0"), { host: "127.0.0.1", port: 0 });
  assert.deepEqual(parseListenAddress("node-1.example.com:80"), { host: "node-1.example.com", port: 80 });
  assert.deepEqual(parseListenAddress("[::1]:65535"), { host: "::1", port: 65_535 });
  assert.equal(parseListenAddress("off"), undefined);
});

for (const wrong of [
  "",
  "9090",
  "host",
  "host:",
  ":port",
  ":65536",
  "::1:80",
  "[::1]",
  "a b:80",
  "http://h:80",
  ":-1",
]) {
  test(`${JSON.stringify(wrong)} is rejected as wrong usage`, () => {
    assert.throws(() => parseListenAddress(wrong), { code: "E_USAGE", message: /--listen must be HOST:PORT/ });
  });
}
