import assert from "node:assert/strict";
import { test } from "node:test";
import type { EffectiveTarget } from "../../../../src/config/resolve.ts";
import { classify } from "../../../../src/delivery/influx/rules.ts";

type Protocol = EffectiveTarget["protocol"];

const V1: Protocol = { version: "v1", database: "metrics" };
const V2: Protocol = { version: "v2", org: "org", bucket: "metrics" };
const V3: Protocol = { version: "v3", database: "metrics", api: "Native" };
const VM_PATH = `remoteAddr: "127.0.0.1:43366"; requestURI: /api/v3/write_lp?db=x; unsupported path requested: "/api/v3/write_lp"`;
const GENERAL = /^check the target's url, version, database, bucket and organization: HTTP 40[45]/;

/** Answers of servers to a request with an API that they do not have. */
const ANSWERS: readonly (readonly [
  what: string,
  Protocol,
  status: number,
  headers: object,
  body: string,
  detail: RegExp,
])[] = [
  [
    "InfluxDB 2, v3",
    V3,
    404,
    { "x-influxdb-version": "v2.7.12" },
    '{"code":"not found","message":"path not found"}',
    /^set v2 or v1 instead of v3: the server is an InfluxDB 2\.7\.12: HTTP 404 path not found$/,
  ],
  [
    "InfluxDB 1, v3",
    V3,
    404,
    { "x-influxdb-version": "1.6.7" },
    "404 page not found",
    /^set v1 instead of v3: the server is an InfluxDB 1\.6\.7: HTTP 404/,
  ],
  [
    "InfluxDB 1.11, v3",
    V3,
    404,
    { "x-influxdb-version": "1.11.8" },
    "404 page not found",
    /^set v1 or v2 instead of v3: the server is an InfluxDB 1\.11\.8: /,
  ],
  ["InfluxDB 1.11, v2", V2, 404, { "x-influxdb-version": "v1.11.8" }, "404 page not found", GENERAL],
  ["InfluxDB 1.6, v2", V2, 404, { "x-influxdb-version": "1.6.7" }, "404 page not found", /^set v1 instead of v2: /],
  [
    "InfluxDB 1.8, v2, without the bucket",
    V2,
    404,
    { "x-influxdb-version": "1.8.10" },
    '{"error":"database not found"}',
    GENERAL,
  ],
  [
    "InfluxDB 2, without the bucket",
    V2,
    404,
    { "x-influxdb-version": "2.7.12" },
    '{"message":"bucket not found"}',
    GENERAL,
  ],
  [
    "VictoriaMetrics, v3",
    V3,
    400,
    { "x-server-hostname": "h" },
    VM_PATH,
    /^set v2 or v1 instead of v3: the server is a VictoriaMetrics: /,
  ],
  [
    "QuestDB, v3",
    V3,
    405,
    { server: "questDB/1.0" },
    "method POST not supported",
    /^set v2 or v1 instead of v3: the server is a QuestDB: /,
  ],
  ["an unknown server", V3, 404, { server: "nginx" }, "", GENERAL],
  ["no header", V1, 405, {}, "", GENERAL],
];

for (const [what, protocol, status, headers, body, expected] of ANSWERS)
  test(`the setting that fits comes first: ${what}`, () => {
    const answer = { status, body, headers: headers as Readonly<Record<string, string>> };
    const outcome = classify(answer, { lines: 3, protocol, nowMs: 0 });
    assert.ok(outcome.kind === "misconfigured" && outcome.reason === "TargetNotFound", outcome.kind);
    assert.match(outcome.detail, expected);
  });

test("a bad line for VictoriaMetrics is found behind the request that its text begins with", () => {
  const body = `remoteAddr: "127.0.0.1:43366"; requestURI: /write?db=x; incorrect influx line "m x": missing field value`;
  const outcome = classify({ status: 400, body }, { lines: 3, protocol: V1, nowMs: 0 });
  assert.equal(outcome.kind, "rejected");
});

test("a redirect shows where to, without credentials", () => {
  for (const [location, shown] of [
    ["https://user:pass@login.example:8443/start?token=secret#x", "https://login.example:8443/start"],
    ["/login?next=secret", "/login"],
    ["https://influx.example/api/v2/write", "https://influx.example/api/v2/write"],
    ["", "an unknown address"],
  ] as const) {
    // Servers often have the address in the body too.
    const body = `<a href="${location}">Found</a>`;
    const outcome = classify({ status: 302, body, headers: { location } }, { lines: 3, protocol: V2, nowMs: 0 });
    const detail = "detail" in outcome ? outcome.detail : "";
    assert.equal(detail, `check the target's url: the answer is a redirect to ${shown}: HTTP 302`);
  }
});
