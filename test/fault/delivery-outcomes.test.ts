import assert from "node:assert/strict";
import { test } from "node:test";
import type { EffectiveTarget } from "../../src/config/resolve.ts";
import { batchFrom, batchOf, DeliveryBench, goodLine, secret, targetSettings, until } from "../support/delivery.ts";
import { FakeInflux } from "../support/fake-influx.ts";

const TOKEN = "s3cr3t-t0ken-of-the-first-kind";
const BAD_LINE = "vm_metrics,name=bad cpu_time= 1700000000000000000";
const never = new AbortController().signal;

const PROTOCOLS: Readonly<Record<string, EffectiveTarget["protocol"]>> = {
  v1: { version: "v1", database: "metrics", retentionPolicy: "two weeks" },
  v2: { version: "v2", org: "org", bucket: "metrics" },
  "v3 native": { version: "v3", database: "metrics", api: "Native" },
  "v3 compatible": { version: "v3", database: "metrics", api: "V2Compatible" },
};

for (const [name, protocol] of Object.entries(PROTOCOLS)) {
  test(`${name}: only the bad line is rejected`, async () => {
    await using influx = await FakeInflux.start({ version: protocol.version, database: "metrics", basePath: "/base" });
    await using bench = new DeliveryBench();
    const sender = bench.start(targetSettings({ url: `${influx.url}/`, protocol }));
    const lines = Array.from({ length: 700 }, (_, index) => goodLine(index));
    await bench.append(batchFrom(lines.with(333, BAD_LINE)));
    await bench.append(batchOf(100, 1000));
    assert.equal(await sender.drain(never), true);

    const expected = [...lines.toSpliced(333, 1), ...Array.from({ length: 100 }, (_, index) => goodLine(1000 + index))];
    assert.deepEqual([...new Set(influx.stored)].sort(), expected.sort());
    assert.equal(sender.state.deliveredLines, 799);
    assert.equal(sender.state.rejectedLines, 1);
    assert.equal(bench.log.of("rejected").length, 1);
    assert.match(bench.log.of("rejected")[0] ?? "", /^main rejected 1: .*vm_metrics,name=bad cpu_time=/);
    assert.deepEqual(bench.log.of("failing"), []);
    assert.ok(influx.requests.length <= 8, `${influx.requests.length} requests`);
  });
}

// The lines are rejected only because a later line is accepted. Otherwise a setting may be wrong.
test("a batch of only bad lines is rejected after a bounded number of requests", async () => {
  await using influx = await FakeInflux.start({ version: "v2" });
  await using bench = new DeliveryBench();
  const sender = bench.start(targetSettings({ url: influx.url }));
  await bench.append(batchFrom(Array.from({ length: 500 }, () => BAD_LINE)));
  await bench.append(batchOf(3));
  assert.equal(await sender.drain(never), true);
  assert.equal(sender.state.rejectedLines + sender.state.deliveredLines, 503);
  assert.deepEqual([...new Set(influx.stored)].sort(), [0, 1, 2].map(goodLine));
  // Whole, in halves, split 32 times, one probe line, and the good lines.
  assert.ok(influx.requests.length <= 1 + 2 + 64 + 1 + 1, `${influx.requests.length} requests`);
});

test("a request of several frames loses nothing on a server that reads one gzip member", async () => {
  await using influx = await FakeInflux.start({ version: "v3", furtherMembers: "fail" });
  await using bench = new DeliveryBench();
  influx.fault = { kind: "status", status: 503 };
  const protocol = { version: "v3", database: "metrics", api: "Native" } as const;
  const sender = bench.start(targetSettings({ url: influx.url, protocol }));
  for (let frame = 0; frame < 3; frame++) await bench.append(batchOf(1_000, frame * 1_000));
  const answered = (status: number): boolean =>
    influx.requests.some((request) => request.status === status && request.lines.length === 3_000);
  await until("all frames are refused in one request", () => answered(503));
  influx.fault = undefined;
  assert.equal(await sender.drain(never), true);
  assert.ok(answered(204));
  assert.equal(sender.state.deliveredLines, 3_000);
  assert.equal(new Set(influx.stored).size, 3_000);
});

test("a frame that is damaged in the buffer loses only its own lines", async () => {
  await using influx = await FakeInflux.start({ version: "v2" });
  await using bench = new DeliveryBench();
  influx.fault = { kind: "status", status: 503 };
  const sender = bench.start(targetSettings({ url: influx.url }));
  await bench.append(batchOf(10));
  const read = await bench.spool.cursor("main").read({ maxLines: 10, maxRawBytes: 1 << 20 });
  read[0]?.payload.fill(0, -8);
  await bench.append(batchOf(10, 10));
  await bench.append(batchOf(10, 20));
  influx.fault = undefined;
  assert.equal(await sender.drain(never), true);
  assert.deepEqual([sender.state.deliveredLines, sender.state.rejectedLines], [20, 10]);
  assert.match(bench.log.of("rejected")[0] ?? "", /^main rejected 10: damaged in the buffer/);
});

test("a long list of rejected lines is read whole, even without a JSON content type", async () => {
  await using influx = await FakeInflux.start({ version: "v3" });
  await using bench = new DeliveryBench();
  const protocol = { version: "v3", database: "metrics", api: "Native" } as const;
  const sender = bench.start(targetSettings({ url: influx.url, protocol }));
  await bench.append(batchFrom([...Array.from({ length: 50 }, () => BAD_LINE), goodLine(1)]));
  assert.equal(await sender.drain(never), true);
  assert.equal(sender.state.rejectedLines, 50);
  assert.equal(sender.state.deliveredLines, 1);
});

test("an answer that is too long is cut at a limit", async () => {
  await using influx = await FakeInflux.start({ version: "v2" });
  await using bench = new DeliveryBench();
  influx.faults.push({
    kind: "status",
    status: 503,
    body: "x".repeat(8 << 20),
    headers: { "content-type": "application/json" },
  });
  const sender = bench.start(targetSettings({ url: influx.url }));
  await bench.append(batchOf(2));
  assert.equal(await sender.drain(never), true);
  assert.match(bench.log.of("failing")[0] ?? "", /^main failing TargetUnreachable: HTTP 503 x{100,}/);
  assert.ok(bench.log.events.every((event) => event.length < 400));
});

test("a 413 halves the batch until it fits, and success lets it grow", async () => {
  await using influx = await FakeInflux.start({ version: "v2", maxBodyBytes: 2_000 });
  await using bench = new DeliveryBench();
  const sender = bench.start(targetSettings({ url: influx.url }));
  // In one append: single frames might be sent one by one, and fit.
  await bench.append(batchOf(4_000));
  assert.equal(await sender.drain(never), true);
  assert.deepEqual([...new Set(influx.stored)].length, 4_000);
  assert.equal(sender.state.rejectedLines, 0);
  assert.ok(influx.requests.some(({ status }) => status === 413));
  const { batchLines } = sender.state;
  assert.ok(batchLines < 2_500, `${batchLines} lines`);

  influx.options = { version: "v2" };
  for (let part = 0; part < 100; part++) await bench.append(batchOf(50, 4_000 + part * 50));
  assert.equal(await sender.drain(never), true);
  assert.ok(sender.state.batchLines > batchLines);
});

test("a frame that is too large is sent in parts, and only a too large line is rejected", async () => {
  await using influx = await FakeInflux.start({ version: "v2", maxBodyBytes: 600 });
  await using bench = new DeliveryBench();
  const sender = bench.start(targetSettings({ url: influx.url }));
  const noise = Array.from({ length: 2_000 }, (_, index) => ((index * 7_919) % 104_729).toString(36)).join("");
  const long = `vm_metrics,name=${noise} up=true 1700000000000000000`;
  const lines = [...Array.from({ length: 300 }, (_, index) => goodLine(index)), long];
  await bench.append(batchFrom(lines));
  assert.equal(await sender.drain(never), true);
  assert.equal(new Set(influx.stored).size, 300);
  assert.equal(sender.state.rejectedLines, 1);
  assert.match(bench.log.of("rejected")[0] ?? "", /HTTP 413/);
});

test("a target that rejects compressed bodies gets plain ones from then on", async () => {
  await using influx = await FakeInflux.start({ version: "v2", gzip: false });
  await using bench = new DeliveryBench();
  const sender = bench.start(targetSettings({ url: influx.url }));
  for (const first of [0, 300]) {
    await bench.append(batchOf(300, first));
    assert.equal(await sender.drain(never), true);
  }
  assert.equal(new Set(influx.stored).size, 600);
  assert.equal(influx.requests.filter(({ status }) => status === 415).length, 1);
  assert.deepEqual(bench.log.of("notice"), ["main notice the target rejects compressed bodies, plain ones are sent"]);
  assert.deepEqual(bench.log.of("failing"), []);
});

test("with gzip: false every body is plain", async () => {
  await using influx = await FakeInflux.start({ version: "v2", gzip: false });
  await using bench = new DeliveryBench();
  const sender = bench.start(targetSettings({ url: influx.url, gzip: false }));
  await bench.append(batchOf(300));
  assert.equal(await sender.drain(never), true);
  assert.deepEqual([influx.requests.map(({ status }) => status), influx.stored.length], [[204], 300]);
  assert.deepEqual(bench.log.of("notice"), []);
});

test("a target that also rejects a plain body is not an InfluxDB, and gets compressed ones again", async () => {
  await using influx = await FakeInflux.start({ version: "v2" });
  await using bench = new DeliveryBench();
  influx.fault = { kind: "status", status: 415 };
  const sender = bench.start(targetSettings({ url: influx.url }));
  await bench.append(batchOf(3));
  await until("it failed twice", () => influx.requests.length >= 4);
  assert.match(sender.state.detail ?? "", /^the target takes no line protocol, compressed or not: .*: HTTP 415/);
  influx.fault = undefined;
  assert.equal(await sender.drain(never), true);
  assert.deepEqual([influx.stored.length, bench.log.of("notice").length], [3, 0]);
});

test("401 keeps the lines, and a new token delivers them at once", async () => {
  await using influx = await FakeInflux.start({ version: "v2", authorization: "Token the-new-one" });
  await using bench = new DeliveryBench();
  const settings = targetSettings({ url: influx.url, credentials: { kind: "token", token: secret(TOKEN) } });
  const sender = bench.start(settings);
  await bench.append(batchOf(5));
  await until("the old token has failed three times", () => influx.requests.length >= 3);
  assert.equal(sender.state.state, "Failing");
  assert.equal(sender.state.reason, "TargetUnauthorized");
  assert.equal(sender.backlog.lines, 5);
  assert.equal(bench.log.of("failing").length, 1);

  sender.update({ ...settings, credentials: { kind: "token", token: secret("the-new-one") } });
  assert.equal(await sender.drain(never), true);
  assert.equal(influx.stored.length, 5);
  assert.equal(sender.state.state, "Delivering");
  assert.deepEqual(bench.log.of("recovered"), ["main recovered"]);
  assert.doesNotMatch(bench.everything(), new RegExp(`${TOKEN}|the-new-one`));
});

test("404 keeps the lines until the bucket exists", async () => {
  await using influx = await FakeInflux.start({ version: "v2", database: "other" });
  await using bench = new DeliveryBench();
  const sender = bench.start(targetSettings({ url: influx.url }));
  await bench.append(batchOf(5));
  await until("it was rejected twice", () => influx.requests.length >= 2);
  assert.equal(sender.state.reason, "TargetNotFound");
  influx.options = { version: "v2", database: "metrics" };
  assert.equal(await sender.drain(never), true);
  assert.equal(influx.stored.length, 5);
});

for (const [what, fault] of Object.entries({
  "a redirect": { status: 302, headers: { location: "https://login.example/" } },
  "405": { status: 405 },
  "a login page with status 200": { status: 200, body: "<!DOCTYPE html><html>" },
  "a proxy's page with status 400": { status: 400, body: "<html>The plain HTTP request was sent to HTTPS port" },
  "an unknown status": { status: 418 },
})) {
  test(`${what} is a wrong address: no line counts as delivered or rejected`, async () => {
    await using influx = await FakeInflux.start({ version: "v2" });
    await using bench = new DeliveryBench();
    influx.fault = { kind: "status", ...fault };
    const sender = bench.start(targetSettings({ url: influx.url }));
    await bench.append(batchOf(5));
    await until("it was rejected twice", () => influx.requests.length >= 2);
    assert.match(sender.state.reason ?? "", /^Target(?:NotFound|Rejecting)$/);
    assert.equal(sender.backlog.lines, 5);
    influx.fault = undefined;
    assert.equal(await sender.drain(never), true);
    assert.equal(influx.stored.length, 5);
  });
}

test("a search for a bad line continues after an outage", async () => {
  // By this API it names no line.
  await using influx = await FakeInflux.start({ version: "v3" });
  await using bench = new DeliveryBench();
  const protocol = { version: "v3", database: "metrics", api: "V2Compatible" } as const;
  const sender = bench.start(targetSettings({ url: influx.url, protocol }), { random: () => 0.01 });
  const lines = Array.from({ length: 64 }, (_, index) => goodLine(index));
  await bench.append(batchFrom(lines.with(20, goodLine(20).replace(" 17", " x7"))));
  for (let outage = 0; outage < 4; outage++) {
    await until("it is searching", () => influx.requests.length > outage * 2);
    influx.faults.push({ kind: "status", status: 503 });
  }
  assert.equal(await sender.drain(never), true);
  assert.equal(new Set(influx.stored).size, 63);
  assert.equal(sender.state.rejectedLines, 1);
  const searching = influx.requests.filter(({ status }) => status !== 503).length;
  assert.ok(searching <= 1 + 2 * 6, `${searching} requests`);
});

test("credentials are redacted in everything that the server sends back", async () => {
  const password = "pa55-w0rd!";
  const encoded = Buffer.from(`admin:${password}`).toString("base64");
  await using influx = await FakeInflux.start({ version: "v1" });
  await using bench = new DeliveryBench();
  const sender = bench.start(
    targetSettings({
      url: influx.url,
      protocol: { version: "v1", database: "metrics" },
      credentials: { kind: "basic", username: "admin", password: secret(password) },
    }),
  );
  influx.fault = { kind: "status", status: 403, body: `no right: Basic ${encoded}, that is admin and ${password}` };
  await bench.append(batchOf(1));
  await until("it failed", () => sender.state.state === "Failing");
  assert.match(bench.log.of("failing")[0] ?? "", /no right: Basic \[redacted\]/);
  assert.equal(influx.requests[0]?.headers.authorization, `Basic ${encoded}`);
  assert.equal(bench.everything().includes(password), false);
  assert.equal(bench.everything().includes(encoded), false);
});

test("a token that is not valid in a header is reported without the token", async () => {
  await using influx = await FakeInflux.start({ version: "v2" });
  await using bench = new DeliveryBench();
  const sender = bench.start(
    targetSettings({ url: influx.url, credentials: { kind: "token", token: secret(`${TOKEN}\n`) } }),
  );
  await bench.append(batchOf(1));
  await until("it failed", () => sender.state.state === "Failing");
  assert.match(sender.state.detail ?? "", /authorization/);
  assert.equal(bench.everything().includes(TOKEN), false);
  assert.equal(influx.requests.length, 0);
});

test("a token is not sent in plain text unless the settings allow it", async () => {
  await using influx = await FakeInflux.start({ version: "v2" });
  await using bench = new DeliveryBench();
  const sender = bench.start(targetSettings({ url: influx.url, tls: { mode: "Verify" } }));
  await bench.append(batchOf(1));
  await until("it failed", () => sender.state.state === "Failing");
  assert.match(sender.state.detail ?? "", /tls\.mode: Plaintext/);
  assert.equal(influx.totalConnections, 0);
});
