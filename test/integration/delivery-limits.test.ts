import assert from "node:assert/strict";
import { test } from "node:test";
import { batchFrom, DeliveryBench, targetSettings, until } from "../support/delivery.ts";
import { Influxd1 } from "./support/influxd1.ts";

const SERIES = 50;

/** Returns `count` lines, of 50 VMs in turn; each VM is a series. */
function linesOfVms(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => {
    const time = String(17e8 + Math.floor(index / SERIES)).padEnd(19, "0");
    return `vm_metrics,name=${prefix}-${index % SERIES} cpu_time=${index}i ${time}`;
  });
}

async function storedLines(server: Influxd1, prefix: string): Promise<number> {
  const [row] = await server.query(`SELECT count(cpu_time) AS lines FROM vm_metrics WHERE "name" =~ /^${prefix}-/`);
  return Number(row?.["lines"] ?? 0);
}

async function atLimit(resources: AsyncDisposableStack): Promise<Influxd1> {
  const server = resources.use(await Influxd1.start({ maxSeries: SERIES }));
  await server.write(linesOfVms("old", SERIES).join("\n"));
  return server;
}

test("when InfluxDB 1 drops a whole batch at its series limit, no line is lost", async () => {
  await using resources = new AsyncDisposableStack();
  const server = await atLimit(resources);
  const bench = resources.use(new DeliveryBench());
  const protocol = { version: "v1", database: server.database } as const;
  const sender = bench.start(targetSettings({ url: server.url, protocol }));
  await bench.append(batchFrom(linesOfVms("new", 1_400)));
  await until("it was tried five times", () => sender.state.requests >= 5);
  const { state, reason, detail, deliveredLines, rejectedLines, lastSuccessMs } = sender.state;
  assert.deepEqual([state, reason], ["Failing", "TargetRejecting"]);
  assert.match(
    detail ?? "",
    /^the server is at a limit: raise it, .*max-series-per-database limit exceeded: \(50\) dropped=\d+/,
  );
  assert.deepEqual([deliveredLines, rejectedLines, lastSuccessMs], [0, 0, undefined]);
  assert.deepEqual([sender.backlog.lines, await storedLines(server, "new")], [1_400, 0]);

  // InfluxDB counts the lines of a batch against the limit, not their series.
  await server.restart({ maxSeries: 1_400 + SERIES });
  assert.equal(await sender.drain(AbortSignal.timeout(60_000)), true);
  assert.deepEqual([sender.state.deliveredLines, sender.state.rejectedLines], [1_400, 0]);
  assert.equal(await storedLines(server, "new"), 1_400);
});

test("InfluxDB 1 at its series limit still stores lines of known series", async () => {
  await using resources = new AsyncDisposableStack();
  const server = await atLimit(resources);
  const bench = resources.use(new DeliveryBench());
  const protocol = { version: "v1", database: server.database } as const;
  const sender = bench.start(targetSettings({ url: server.url, protocol }));
  await bench.append(batchFrom([...linesOfVms("new", 100), ...linesOfVms("old", 400)]));
  assert.equal(await sender.drain(AbortSignal.timeout(60_000)), true);
  assert.deepEqual([sender.state.deliveredLines, sender.state.rejectedLines], [400, 100]);
  assert.deepEqual([await storedLines(server, "old"), await storedLines(server, "new")], [400, 0]);
  assert.match(bench.log.of("rejected")[0] ?? "", /^main rejected 100: .*max-series-per-database limit exceeded/);
});
