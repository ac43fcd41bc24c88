import assert from "node:assert/strict";
import { test } from "node:test";
import { InfluxDB } from "@influxdata/influxdb-client";
import { batchFrom, DeliveryBench, goodLine, secret, targetSettings } from "../support/delivery.ts";
import { FakeInflux, type ReceivedRequest } from "../support/fake-influx.ts";

const TOKEN = "a-token-of-both-clients";
const LINES = Array.from({ length: 300 }, (_, index) => goodLine(index));

/** Returns what the server acts on, without headers that differ between clients, such as the user agent. */
function essentialsOf({ path, query, headers, lines, behind, status }: ReceivedRequest) {
  const { authorization, "content-encoding": encoding, "content-type": type } = headers;
  return { path, query, authorization, encoding, type, lines, behind, status };
}

test("the agent and the official client send the same lines in equal requests", async () => {
  await using influx = await FakeInflux.start({ version: "v2", authorization: `Token ${TOKEN}` });
  await using bench = new DeliveryBench();
  const credentials = { kind: "token", token: secret(TOKEN) } as const;
  const protocol = { version: "v2", org: "the org", bucket: "a bucket" } as const;
  const sender = bench.start(targetSettings({ url: influx.url, protocol, credentials }));
  await bench.append(batchFrom(LINES));
  assert.equal(await sender.drain(AbortSignal.timeout(60_000)), true);

  const options = { gzipThreshold: 0, maxRetries: 0 };
  const writer = new InfluxDB({ url: influx.url, token: TOKEN }).getWriteApi("the org", "a bucket", "ns", options);
  writer.writeRecords(LINES);
  await writer.close();

  const [ours, theirs] = influx.requests.map(essentialsOf);
  assert.equal(influx.requests.length, 2);
  assert.deepEqual(ours, theirs);
  assert.deepEqual(influx.stored, [...LINES, ...LINES]);
});
