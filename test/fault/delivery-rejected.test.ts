import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { RejectedLines, type RejectedSink } from "../../src/delivery/rejected-lines.ts";
import type { EffectiveTarget } from "../../src/config/resolve.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { batchFrom, batchOf, DeliveryBench, goodLine, secret, targetSettings, until } from "../support/delivery.ts";
import { FakeInflux } from "../support/fake-influx.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { turns } from "../support/turns.ts";

const never = new AbortController().signal;
const TOKEN = "s3cr3t-t0ken-of-a-target";
const BAD_LINES = ["vm_metrics,name=a\\ bad cpu_time= 1700000000000000000", "vm_metrics,name=b cpu_time=x 1"];

const PROTOCOLS: Readonly<Record<string, EffectiveTarget["protocol"]>> = {
  v1: { version: "v1", database: "metrics" },
  v2: { version: "v2", org: "org", bucket: "metrics" },
  "v3 native": { version: "v3", database: "metrics", api: "Native" },
  "v3 compatible": { version: "v3", database: "metrics", api: "V2Compatible" },
};

interface Kept {
  readonly target: string;
  readonly line?: string;
  readonly reason: string;
}

for (const [name, protocol] of Object.entries(PROTOCOLS)) {
  test(`${name}: exactly the rejected lines are in the file`, async (t) => {
    const directory = await temporaryDirectory(t);
    const rejectedLines = new RejectedLines({ directory, clock: systemClock });
    await using influx = await FakeInflux.start({ version: protocol.version });
    await using bench = new DeliveryBench();
    const credentials = { kind: "token", token: secret(TOKEN) } as const;
    const sender = bench.start(targetSettings({ url: influx.url, protocol, credentials }), { rejectedLines });
    const lines = Array.from({ length: 200 }, (_, index) => goodLine(index));
    await bench.append(batchFrom([...lines.slice(0, 70), ...BAD_LINES, ...lines.slice(70)]));
    assert.equal(await sender.drain(never), true);
    await rejectedLines.close();
    const text = await readFile(path.join(directory, "main.jsonl"), "utf8");
    const kept = text
      .trimEnd()
      .split("\n")
      .map((record) => JSON.parse(record) as Kept);
    assert.deepEqual(kept.map(({ line }) => line).sort(), BAD_LINES.toSorted());
    for (const { target, reason } of kept) {
      assert.equal(target, "main");
      assert.match(reason, /invalid|parsing for line protocol failed|No fields were provided|space character/);
    }
    assert.deepEqual([rejectedLines.stats.keptLines, rejectedLines.stats.lostLines], [2, 0]);
  });
}

test("a token that the server sends back is redacted in the file", async (t) => {
  const directory = await temporaryDirectory(t);
  const rejectedLines = new RejectedLines({ directory, clock: systemClock });
  await using influx = await FakeInflux.start({ version: "v2" });
  await using bench = new DeliveryBench();
  const credentials = { kind: "token", token: secret(TOKEN) } as const;
  const sender = bench.start(targetSettings({ url: influx.url, credentials }), { rejectedLines });
  influx.faults.push({ kind: "status", status: 422, body: `{"message":"partial write: ${TOKEN} dropped=1"}` });
  influx.faults.push({ kind: "status", status: 422, body: `{"message":"partial write: ${TOKEN} dropped=1"}` });
  await bench.append(batchOf(2));
  await until("it is decided", () => sender.state.rejectedLines === 1);
  await rejectedLines.close();
  const text = await readFile(path.join(directory, "main.jsonl"), "utf8");
  assert.match(text, /"reason":"HTTP 422 partial write: \[redacted\] dropped=1","line":"vm_metrics/);
  assert.equal(text.includes(TOKEN), false);
});

for (const status of [400, 422]) {
  test(`if the server answers ${status} to every line, all lines are kept`, async () => {
    await using influx = await FakeInflux.start({ version: "v2" });
    await using bench = new DeliveryBench();
    influx.fault = { kind: "status", status, body: '{"code":"invalid","message":"unable to parse the request"}' };
    const sender = bench.start(targetSettings({ url: influx.url }));
    await bench.append(batchOf(300));
    await until("the agent knows that no line is accepted", () => sender.state.reason === "TargetRejecting");
    await bench.append(batchOf(300, 300));
    const before = influx.requests.length;
    await until("it was tried three times", () => influx.requests.length >= before + 3);
    assert.ok(influx.requests.slice(before).every(({ lines }) => lines.length === 1));
    assert.deepEqual([sender.state.rejectedLines, sender.backlog.lines], [0, 600]);
    assert.match(sender.state.detail ?? "", /the target accepts no line: check its settings/);
    assert.equal(bench.log.of("failing").length, 1);
    influx.fault = undefined;
    assert.equal(await sender.drain(never), true);
    assert.equal(new Set(influx.stored).size, 600);
    assert.equal(sender.state.rejectedLines, 0);
  });
}

test("an answer that is not known to be about lines makes no line suspicious", async () => {
  await using influx = await FakeInflux.start({ version: "v2" });
  await using bench = new DeliveryBench();
  const sender = bench.start(targetSettings({ url: influx.url }));
  for (const message of ["precision is not supported", "write buffer error: error from wal: disk full"]) {
    influx.fault = { kind: "status", status: 400, body: JSON.stringify({ code: "invalid", message }) };
    const before = influx.requests.length;
    await bench.append(batchOf(300, before));
    await until("it was tried three times", () => influx.requests.length >= before + 3);
    assert.ok(influx.requests.slice(before).every(({ lines }) => lines.length >= 300));
    assert.ok(sender.state.detail?.includes(message), sender.state.detail);
  }
  influx.fault = undefined;
  assert.equal(await sender.drain(never), true);
  assert.equal(sender.state.rejectedLines, 0);
});

test("a rejected line is recorded before it leaves the spool", async () => {
  await using influx = await FakeInflux.start({ version: "v1" });
  await using bench = new DeliveryBench();
  const onRecord = Promise.withResolvers<undefined>();
  const written: string[] = [];
  const rejectedLines: RejectedSink = {
    write: async (target) => {
      written.push(target);
      await onRecord.promise;
    },
  };
  const protocol = { version: "v1", database: "metrics" } as const;
  const sender = bench.start(targetSettings({ url: influx.url, protocol }), { rejectedLines });
  // With one good line, because a server that rejects every line is at fault itself.
  const lines = [...BAD_LINES, goodLine(0)];
  await bench.append(batchFrom(lines));
  await until("it is rejected", () => written.length > 0);
  await turns(50);
  assert.equal(sender.backlog.lines, lines.length);
  onRecord.resolve(undefined);
  assert.equal(await sender.drain(never), true);
  assert.deepEqual(written, ["main"]);
});
