import assert from "node:assert/strict";
import { test } from "node:test";
import { authorization, secretsOf, writeHeaders, writePath } from "../../../../src/delivery/influx/request.ts";
import type { EffectiveTarget } from "../../../../src/config/resolve.ts";
import { secret } from "../../../support/delivery.ts";

type Protocol = EffectiveTarget["protocol"];
type Credentials = EffectiveTarget["credentials"];

const V1 = { version: "v1", database: "metrics" } as const;
const V2 = { version: "v2", org: "org", bucket: "metrics" } as const;
const V3 = { version: "v3", database: "metrics", api: "Native" } as const;
const V3_COMPATIBLE = { version: "v3", database: "metrics", api: "V2Compatible" } as const;
const TOKEN = { kind: "token", token: secret("t0ken") } as const;
const BASIC = { kind: "basic", username: "müller", password: secret("a:b c") } as const;

test("each version has its own path and parameters", () => {
  const cases: [Protocol, string][] = [
    [V1, "/write?db=metrics&precision=ns"],
    [{ ...V1, retentionPolicy: "two weeks" }, "/write?db=metrics&rp=two%20weeks&precision=ns"],
    [V2, "/api/v2/write?org=org&bucket=metrics&precision=ns"],
    [V3, "/api/v3/write_lp?db=metrics&precision=nanosecond&accept_partial=true&no_sync=false"],
    [V3_COMPATIBLE, "/api/v2/write?bucket=metrics&precision=ns"],
  ];
  for (const [protocol, path] of cases) assert.equal(writePath({ protocol, url: "http://influx:8086" }), path);
});

test("the base path of the URL is kept, with or without trailing slashes", () => {
  for (const [url, base] of [
    ["https://influx", ""],
    ["https://influx/", ""],
    ["https://influx/base", "/base"],
    ["https://influx/base/path//", "/base/path"],
    ["https://influx/b%20se/", "/b%20se"],
  ] as const)
    assert.equal(writePath({ protocol: V1, url }), `${base}/write?db=metrics&precision=ns`);
});

test("names are escaped in the query", () => {
  const name = "a&b=c#d?e/f é+%";
  const url = "http://influx:8086";
  const protocols: Protocol[] = [
    { version: "v1", database: name, retentionPolicy: name },
    { version: "v2", org: name, bucket: name },
    { ...V3, database: name },
    { ...V3_COMPATIBLE, database: name },
  ];
  for (const protocol of protocols) {
    const { searchParams, hash } = new URL(writePath({ protocol, url }), url);
    assert.equal(hash, "");
    for (const key of ["db", "rp", "org", "bucket"])
      assert.ok([null, name].includes(searchParams.get(key)), `${key}: ${searchParams.get(key) ?? ""}`);
    assert.match(searchParams.get("precision") ?? "", /^n/);
  }
});

test("each kind of credentials becomes the header that its server expects", () => {
  const cases: [Protocol, Credentials, string | undefined][] = [
    [V1, { kind: "none" }, undefined],
    [V1, BASIC, "Basic bcO8bGxlcjphOmIgYw=="],
    [V2, TOKEN, "Token t0ken"],
    [V3, TOKEN, "Bearer t0ken"],
    [V3_COMPATIBLE, TOKEN, "Token t0ken"],
  ];
  for (const [protocol, credentials, header] of cases)
    assert.equal(authorization({ protocol, credentials }), header, protocol.version);
});

test("secrets include every form of the credentials that a server could send back", () => {
  assert.deepEqual(secretsOf({ credentials: { kind: "none" }, headers: [] }), []);
  assert.deepEqual(secretsOf({ credentials: TOKEN, headers: [] }), ["t0ken"]);
  assert.deepEqual(secretsOf({ credentials: BASIC, headers: [] }), ["bcO8bGxlcjphOmIgYw==", "a:b c"]);
});

test("secrets include a header's value from a Secret, with and without its scheme", () => {
  const headers = [
    { name: "X-Scope-OrgID", value: "metrics" },
    { name: "Authorization", value: secret("Bearer abcd") },
  ];
  assert.deepEqual(secretsOf({ credentials: { kind: "none" }, headers }), ["Bearer abcd", "abcd"]);
});

test("headers of the configuration are added to those of the agent", () => {
  const headers = [
    { name: "X-Scope-OrgID", value: "team-a" },
    { name: "User-Agent", value: "ours" },
    { name: "X-Api-Key", value: secret("k3y") },
  ];
  const written = writeHeaders({ protocol: V2, credentials: TOKEN, headers });
  const before = writeHeaders({ protocol: V2, credentials: TOKEN, headers: [] });
  assert.deepEqual(written, { ...before, "x-scope-orgid": "team-a", "user-agent": "ours", "x-api-key": "k3y" });
});
