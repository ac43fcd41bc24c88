import assert from "node:assert/strict";
import { test } from "node:test";
import type { RejectedSink } from "../../src/delivery/rejected-lines.ts";
import { batchFrom, DeliveryBench, goodLine, targetSettings } from "../support/delivery.ts";
import { FakeInflux } from "../support/fake-influx.ts";
import { FAULT_KINDS } from "../support/fault-deck.ts";
import { FaultyProxy } from "../support/faulty-proxy.ts";
import { unspoil } from "../support/spoiled-lines.ts";

const SEED = 5;
const BATCH = 40;
const isBad = (line: string): boolean => /name=vm-\d*7[05] /.test(line);

for (const protocol of [
  { version: "v1", database: "metrics" },
  { version: "v2", org: "org", bucket: "metrics" },
] as const) {
  test(`no fault of network or server loses a line of a ${protocol.version} target`, async () => {
    await using influx = await FakeInflux.start({ version: protocol.version, database: "metrics" });
    await using proxy = await FaultyProxy.start(influx.url, { seed: SEED, maxBodyBytes: 500, isBad });
    const rejected: string[] = [];
    const rejectedLines: RejectedSink = {
      write: (_target, rejections) => {
        for (const { bytes = "" } of rejections) rejected.push(unspoil(String(bytes).trimEnd()));
        return Promise.resolve();
      },
    };
    await using bench = new DeliveryBench();
    const flush = { intervalMs: 1, maxLines: 3 * BATCH, maxBytes: 1 << 20 };
    const sender = bench.start(targetSettings({ url: proxy.url, protocol, flush, timeoutMs: 200 }), { rejectedLines });
    const sent: string[] = [];
    const events = [...FAULT_KINDS, "413", protocol.version === "v1" ? "400 partial" : "400 whole"] as const;
    // Timing decides which request gets which fault, and how large it is.
    while (events.some((event) => (proxy.counts.get(event) ?? 0) === 0)) {
      for (let frame = 0; frame < 3; frame++) {
        const lines = Array.from({ length: BATCH }, (_, index) => goodLine(sent.length + index));
        await bench.append(batchFrom(lines));
        sent.push(...lines);
      }
      assert.equal(await sender.drain(AbortSignal.timeout(60_000)), true);
    }
    assert.deepEqual([...new Set(influx.stored)].sort(), sent.filter((line) => !isBad(line)).sort());
    assert.deepEqual(rejected.sort(), sent.filter(isBad).sort());
  });
}
