import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { RejectedLines } from "../../src/delivery/rejected-lines.ts";
import type { EffectiveTarget } from "../../src/config/resolve.ts";
import { INFLUX } from "../../src/delivery/influx/influx.ts";
import type { Protocol } from "../../src/delivery/protocol.ts";
import { systemClock, type Clock } from "../../src/lib/clock.ts";
import { batchFrom, DeliveryBench, goodLine, secret, targetSettings } from "../support/delivery.ts";
import { linesOf } from "../support/gzip-member.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { Influxd1 } from "./support/influxd1.ts";
import { Influxd2 } from "./support/influxd2.ts";

const GOOD = Array.from({ length: 300 }, (_, index) => goodLine(index));
const BAD = [
  "vm_metrics,name=no-value cpu_time= 1700000000000000000",
  "vm_metrics,name=no-number cpu_time=up 1700000000000000000",
  "vm_metrics,name cpu_time=1i 1700000000000000000",
];
const MIXED = GOOD.toSpliced(20, 0, ...BAD.slice(0, 1)).toSpliced(200, 0, ...BAD.slice(1));

interface Server {
  readonly settings: EffectiveTarget;
  /** Resolves to the names of all VMs with a point in `vm_metrics`. */
  names(): Promise<string[]>;
}

async function influx1(resources: AsyncDisposableStack): Promise<Server> {
  const server = resources.use(await Influxd1.start());
  const protocol = { version: "v1", database: server.database } as const;
  return {
    settings: targetSettings({ url: server.url, protocol }),
    names: async () => (await server.query('SELECT cpu_time, "name" FROM vm_metrics')).map(({ name = "" }) => name),
  };
}

async function influx2(resources: AsyncDisposableStack): Promise<Server> {
  const server = resources.use(await Influxd2.start());
  const protocol = { version: "v2", org: server.org, bucket: server.bucket } as const;
  const credentials = { kind: "token", token: secret(server.token) } as const;
  return {
    settings: targetSettings({ url: server.url, protocol, credentials }),
    names: async () => (await server.points("vm_metrics")).map(({ name = "" }) => name),
  };
}

/** A clock that runs a thousand times as fast. */
const rushing: Clock = {
  now: () => systemClock.now(),
  monotonic: () => systemClock.monotonic() * 1_000,
  sleep: (ms, signal) => systemClock.sleep(ms / 1_000, signal),
};

function namesOf(lines: readonly string[]): string[] {
  return lines.map((line) => /name=([^ ,]+)/.exec(line)?.[1] ?? "").sort();
}

async function keptLines(t: TestContext): Promise<{ rejectedLines: RejectedLines; kept: () => Promise<string[]> }> {
  const directory = await temporaryDirectory(t);
  const rejectedLines = new RejectedLines({ directory, clock: systemClock });
  const kept = async (): Promise<string[]> => {
    await rejectedLines.close();
    const text = await readFile(path.join(directory, "main.jsonl"), "utf8");
    const records = text.trimEnd().split("\n");
    return records.map((record) => (JSON.parse(record) as { line?: string }).line ?? record);
  };
  return { rejectedLines, kept };
}

for (const [what, start] of Object.entries({ "InfluxDB 1": influx1, "InfluxDB 2": influx2 })) {
  test(`${what} stores every good line of a batch, and the bad lines are on record`, async (t) => {
    await using resources = new AsyncDisposableStack();
    const server = await start(resources);
    const { rejectedLines, kept } = await keptLines(t);
    const bench = resources.use(new DeliveryBench());
    const sender = bench.start(server.settings, { rejectedLines });
    await bench.append(batchFrom(MIXED));
    assert.equal(await sender.drain(AbortSignal.timeout(60_000)), true);
    assert.deepEqual((await server.names()).sort(), namesOf(GOOD));
    assert.equal(sender.state.rejectedLines, BAD.length);
    assert.deepEqual((await kept()).sort(), BAD.toSorted());
  });
}

test("a line that makes InfluxDB 2 answer 500 is found and rejected alone", async (t) => {
  await using resources = new AsyncDisposableStack();
  const server = await influx2(resources);
  const { rejectedLines, kept } = await keptLines(t);
  const bench = resources.use(new DeliveryBench());
  const poison = GOOD[123] ?? "";
  const protocol: Protocol = {
    ...INFLUX,
    open: (target, context) => {
      const real = INFLUX.open(target, context);
      const cut = (body: Uint8Array): Uint8Array => (linesOf(body).includes(poison) ? body.subarray(0, -12) : body);
      return {
        send: ({ body, lines }, signal) => real.send({ body: cut(body), lines }, signal),
        close: () => {
          real.close();
        },
      };
    },
  };
  const sender = bench.start(server.settings, { rejectedLines, protocolOf: () => protocol, clock: rushing });
  await bench.append(batchFrom(GOOD));
  assert.equal(await sender.drain(AbortSignal.timeout(60_000)), true);
  assert.deepEqual((await server.names()).sort(), namesOf(GOOD.filter((line) => line !== poison)));
  assert.deepEqual(await kept(), [poison]);
  assert.match(bench.log.of("failing")[0] ?? "", /^main failing TargetUnreachable: HTTP 500/);
});
