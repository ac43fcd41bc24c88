import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bypassesProxy } from "../../../../src/delivery/http/no-proxy.ts";

type Row = readonly [entry: string, bypassed: readonly string[], proxied: readonly string[]];

const ROWS: readonly Row[] = [
  ["", [], ["influx.example.com", "10.0.0.1", "[fd00::1]"]],
  ["*", ["influx.example.com", "10.0.0.1", "[fd00::1]:8086"], []],
  [
    "example.com",
    ["example.com", "influx.example.com", "a.b.EXAMPLE.com", "example.com.", "example.com:8086"],
    ["badexample.com", "example.com.evil.net", "example.org", "com"],
  ],
  [".example.com", ["influx.example.com", "a.b.example.com:1"], ["example.com", "badexample.com"]],
  ["*.example.com", ["influx.example.com"], ["example.com", "badexample.com"]],
  ["EXAMPLE.com.", ["example.com", "influx.example.com"], ["example.org"]],
  ["example.com:8086", ["example.com:8086", "influx.example.com:8086"], ["example.com", "example.com:8087"]],
  ["example.com:443", ["example.com"], ["example.com:8443"]],
  ["müller.example", ["xn--mller-kva.example", "a.müller.example"], ["muller.example"]],
  [".svc", ["influx.monitoring.svc"], ["svc", "influx.monitoring.svc.cluster.local"]],
  ["10.0.0.0/8", ["10.0.0.1", "10.255.255.255:8086", "[::ffff:10.2.3.4]"], ["11.0.0.1", "influx.example.com"]],
  ["10.1.2.3/8", ["10.9.9.9"], ["11.0.0.1"]],
  ["192.168.1.0/25", ["192.168.1.127"], ["192.168.1.128"]],
  ["0.0.0.0/0", ["8.8.8.8"], ["[fd00::1]", "influx.example.com"]],
  ["fd00::/8", ["[fd12:3456::1]:8086"], ["[fe80::1]", "10.0.0.1"]],
  ["10.0.0.1", ["10.0.0.1", "10.0.0.1:8086"], ["10.0.0.10", "110.0.0.1", "a.10.0.0.1.example"]],
  ["10.0.0.1:8086", ["10.0.0.1:8086"], ["10.0.0.1", "10.0.0.1:443"]],
  ["fd00::1", ["[fd00::1]", "[fd00:0:0::1]:8086"], ["[fd00::2]"]],
  ["[fd00::1]", ["[fd00::1]"], ["[fd00::2]"]],
  ["[fd00::1]:8086", ["[fd00::1]:8086"], ["[fd00::1]"]],
  ["0.1", [], ["10.0.0.1"]],
  // Not networks, addresses or names.
  ...[
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0/8",
    "fd00::/129",
    "fe80::1%eth0",
    "/",
    ".",
    "*.",
    ":",
    ":443",
    "[]",
    "http://a",
  ].map((entry): Row => [entry, [], ["10.0.0.1", "[fd00::1]", "a", "influx.example.com"]]),
];

for (const [entry, bypassed, proxied] of ROWS) {
  test(`NO_PROXY=${entry} is read as Go reads it`, () => {
    for (const list of [entry, ` other.example , ${entry},,172.16.0.0/12`, `other.example ${entry}`]) {
      for (const host of bypassed) assert.equal(bypassesProxy(`https://${host}/x`, list), true, `${host} in ${list}`);
      for (const host of proxied) assert.equal(bypassesProxy(`https://${host}/x`, list), false, `${host} in ${list}`);
    }
  });
}

test("this machine is never reached through a proxy", () => {
  for (const host of [
    "localhost",
    "LOCALHOST.",
    "127.0.0.1",
    "127.9.9.9:8086",
    "[::1]:8086",
    "[::ffff:127.0.0.1]",
    "0x7f.1",
  ])
    for (const list of ["", "example.com"]) assert.equal(bypassesProxy(`http://${host}`, list), true, host);
  for (const host of ["localhost.example.com", "128.0.0.1", "[::2]"])
    assert.equal(bypassesProxy(`http://${host}`, ""), false, host);
});

test("an address is in a network if and only if their first bits are equal", () => {
  const address = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  const text = (value: number): string => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");
  fc.assert(
    fc.property(address, address, fc.integer({ min: 0, max: 32 }), (a, noise, bits) => {
      const network = (a ^ (bits === 32 ? 0 : noise >>> bits)) >>> 0;
      for (const other of [network, noise]) {
        fc.pre(other >>> 24 !== 127);
        const same = bits === 0 || a >>> (32 - bits) === other >>> (32 - bits);
        assert.equal(bypassesProxy(`http://${text(other)}`, `${text(a)}/${bits}`), same);
      }
    }),
  );
});

test("any value of NO_PROXY is read without an exception", () => {
  const parts = fc.constantFrom(
    "10.0.0.0",
    "/8",
    "/",
    ":",
    ":80",
    "[",
    "]",
    "fd00::1",
    "%",
    "*",
    ".",
    "a",
    "ü",
    ",",
    " ",
    "-",
    "999",
  );
  const entry = fc.array(parts, { maxLength: 6 }).map((some) => some.join(""));
  fc.assert(
    fc.property(
      fc.oneof(entry, fc.string()),
      fc.constantFrom("a.example", "10.0.0.1", "[fd00::1]:80"),
      (list, host) => {
        bypassesProxy(`https://${host}`, list);
      },
    ),
  );
});
