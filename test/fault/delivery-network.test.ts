import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { systemClock } from "../../src/lib/clock.ts";
import { batchOf, DeliveryBench, targetSettings, until } from "../support/delivery.ts";
import { FakeInflux } from "../support/fake-influx.ts";

const never = new AbortController().signal;

test("lines for a closed port stay queued and arrive when a server listens", async () => {
  const freed = await FakeInflux.start({ version: "v2" });
  const { url } = freed;
  await freed[Symbol.asyncDispose]();
  await using influx = await FakeInflux.start({ version: "v2" });
  await using bench = new DeliveryBench();
  const sender = bench.start(targetSettings({ url }));
  await bench.append(batchOf(3));
  await until("it failed twice", () => sender.state.consecutiveFailures >= 2);
  assert.match(
    bench.log.of("failing")[0] ?? "",
    /^main failing TargetUnreachable: .*ECONNREFUSED.*nothing listens there/,
  );
  sender.update(targetSettings({ url: influx.url }));
  assert.equal(await sender.drain(never), true);
  assert.equal(influx.stored.length, 3);
  assert.deepEqual(
    bench.log.events.map((event) => event.split(" ")[1]),
    ["failing", "recovered", "delivered"],
  );
});

test("a host name that does not resolve is reported", async () => {
  await using bench = new DeliveryBench();
  const sender = bench.start(targetSettings({ url: "http://no-such-host.invalid:8086" }));
  await bench.append(batchOf(1));
  await until("it failed", () => sender.state.state === "Failing");
  assert.match(sender.state.detail ?? "", /ENOTFOUND|EAI_AGAIN/);
});

test("a request that hangs ends at the deadline, and its sockets are closed", async () => {
  await using influx = await FakeInflux.start({ version: "v2" });
  await using bench = new DeliveryBench();
  influx.fault = { kind: "hang" };
  const sender = bench.start(targetSettings({ url: influx.url, timeoutMs: 20 }));
  await bench.append(batchOf(3));
  let most = 0;
  await until("twelve requests ended", () => {
    most = Math.max(most, influx.openConnections);
    return influx.requests.length >= 12;
  });
  assert.ok(most <= 2, `${most} sockets`);
  assert.match(sender.state.detail ?? "", /no complete answer within 20ms/);
  sender.update(targetSettings({ url: influx.url }));
  influx.fault = undefined;
  assert.equal(await sender.drain(never), true);
  assert.equal(new Set(influx.stored).size, 3);
});

test("an answer that arrives one byte at a time ends at the deadline", async () => {
  await using influx = await FakeInflux.start({ version: "v2" });
  await using bench = new DeliveryBench();
  influx.faults.push({ kind: "trickle" });
  const sender = bench.start(targetSettings({ url: influx.url, timeoutMs: 300 }));
  await bench.append(batchOf(3));
  await until("it failed", () => sender.state.state === "Failing");
  assert.match(sender.state.detail ?? "", /no complete answer within 300ms/);
  assert.equal(await sender.drain(never), true);
});

test("an incomplete answer is retried", async () => {
  await using influx = await FakeInflux.start({ version: "v2" });
  await using bench = new DeliveryBench();
  influx.faults.push({ kind: "cut" });
  const sender = bench.start(targetSettings({ url: influx.url }));
  await bench.append(batchOf(3));
  assert.equal(await sender.drain(never), true);
  assert.match(bench.log.of("failing")[0] ?? "", /the answer with status 400 is incomplete/);
  assert.equal(influx.stored.length, 3);
  assert.equal(sender.state.rejectedLines, 0);
});

test("a reset connection or a lost acknowledgement loses no line", async () => {
  await using influx = await FakeInflux.start({ version: "v2" });
  await using bench = new DeliveryBench();
  influx.faults.push({ kind: "reset" }, { kind: "lostAck" }, { kind: "reset" });
  const sender = bench.start(targetSettings({ url: influx.url }));
  await bench.append(batchOf(3));
  assert.equal(await sender.drain(never), true);
  assert.equal(new Set(influx.stored).size, 3);
  assert.equal(sender.state.deliveredLines, 3);
});

test("a reused connection that the server has closed is not a failure of the target", async () => {
  await using influx = await FakeInflux.start({ version: "v2" });
  await using bench = new DeliveryBench();
  const sender = bench.start(targetSettings({ url: influx.url }));
  await bench.append(batchOf(1));
  assert.equal(await sender.drain(never), true);
  // The server closes the connection when the request arrives, as if its idle timeout had ended just before.
  influx.faults.push({ kind: "reset" });
  await bench.append(batchOf(1, 1));
  assert.equal(await sender.drain(never), true);
  assert.equal(influx.stored.length, 2);
  assert.deepEqual(bench.log.of("failing"), []);
});

test("requests to a healthy target share one connection", async () => {
  await using influx = await FakeInflux.start({ version: "v2" });
  await using bench = new DeliveryBench();
  const sender = bench.start(targetSettings({ url: influx.url }));
  for (let round = 0; round < 10; round++) {
    await bench.append(batchOf(1, round));
    assert.equal(await sender.drain(never), true);
  }
  assert.equal(influx.requests.length, 10);
  assert.equal(influx.totalConnections, 1);
});

test("a stopped sender leaves no connection and no request behind", async () => {
  await using influx = await FakeInflux.start({ version: "v2" });
  const bench = new DeliveryBench();
  influx.fault = { kind: "hang" };
  const sender = bench.start(targetSettings({ url: influx.url, timeoutMs: 60_000 }));
  await bench.append(batchOf(1));
  await until("the request hangs", () => influx.requests.length === 1);
  await sender.stop();
  await until("the server has no connection", () => influx.openConnections === 0);
  assert.equal(sender.backlog.lines, 1);
  assert.deepEqual(bench.log.events, []);
});

test("a server that does not speak HTTP is reported", async () => {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end("SSH-2.0-OpenSSH_9.2\r\n");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  await using bench = new DeliveryBench();
  const { port } = server.address() as AddressInfo;
  const sender = bench.start(targetSettings({ url: `http://127.0.0.1:${port}` }));
  await bench.append(batchOf(1));
  await until("it failed", () => sender.state.state === "Failing");
  assert.equal(sender.state.reason, "TargetUnreachable");
  assert.equal(sender.backlog.lines, 1);
  await sender.stop();
  server.close();
});

for (const [status, after, least, most] of [
  [503, "7", 7_000, 7_700],
  [429, "2", 2_000, 2_200],
  [503, "Fri, 01 Jan 2100 00:00:00 GMT", 600_000, 660_000],
] as const) {
  test(`Retry-After ${after} of a ${status} is honoured`, async () => {
    await using influx = await FakeInflux.start({ version: "v2" });
    await using bench = new DeliveryBench();
    influx.faults.push({ kind: "status", status, headers: { "retry-after": after } });
    const sender = bench.start(targetSettings({ url: influx.url }));
    await bench.append(batchOf(3));
    await until("it was delivered", () => sender.state.deliveredLines === 3);
    const longest = Math.max(...bench.clock.sleeps);
    assert.ok(longest >= least && longest <= most, `waited ${longest} ms`);
  });
}

test("a target that hangs does not delay another target", async () => {
  await using healthy = await FakeInflux.start({ version: "v2" });
  await using hung = await FakeInflux.start({ version: "v1" });
  await using bench = new DeliveryBench();
  hung.fault = { kind: "hang" };
  const one = bench.start(targetSettings({ name: "healthy", url: healthy.url }), { clock: systemClock });
  const protocol = { version: "v1", database: "metrics" } as const;
  const two = bench.start(targetSettings({ name: "hung", url: hung.url, protocol, timeoutMs: 60_000 }));
  for (let round = 0; round < 20; round++) {
    await bench.append(batchOf(10, round * 10));
    await until("the healthy target has the lines", () => one.backlog.lines === 0);
  }
  assert.equal(healthy.stored.length, 200);
  assert.equal(two.backlog.lines, 200);
  assert.equal(hung.requests.length, 1);

  hung.fault = undefined;
  hung.closeConnections();
  assert.equal(await two.drain(never), true);
  assert.equal(new Set(hung.stored).size, 200);
  assert.equal(bench.spool.stats.frames, 0);
});

test("a drain of a failing target ends at its deadline", async () => {
  await using influx = await FakeInflux.start({ version: "v2" });
  await using bench = new DeliveryBench();
  influx.fault = { kind: "status", status: 500 };
  const sender = bench.start(targetSettings({ url: influx.url }));
  await bench.append(batchOf(1));
  assert.equal(await sender.drain(AbortSignal.timeout(50)), false);
  assert.equal(sender.backlog.lines, 1);
});
