// Delivery to InfluxDB 3 by each of its APIs.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import type { EffectiveTarget } from "../../src/config/resolve.ts";
import { RejectedLines } from "../../src/delivery/rejected-lines.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { batchFrom, batchOf, DeliveryBench, goodLine, targetSettings, until } from "../support/delivery.ts";
import { FakeInflux, type FakeInfluxOptions } from "../support/fake-influx.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const never = new AbortController().signal;
const TIME = "1700000000000000000";
const PROTOCOLS: Readonly<Record<string, EffectiveTarget["protocol"]>> = {
  native: { version: "v3", database: "metrics", api: "Native" },
  "/api/v2/write": { version: "v3", database: "metrics", api: "V2Compatible" },
  "/write": { version: "v1", database: "metrics" },
};

interface Bench {
  readonly influx: FakeInflux;
  readonly bench: DeliveryBench;
  readonly sender: ReturnType<DeliveryBench["start"]>;
  /** Resolves to the lines on record. */
  readonly kept: () => Promise<readonly string[]>;
}

async function start(
  t: TestContext,
  resources: AsyncDisposableStack,
  protocol: EffectiveTarget["protocol"],
  options: Partial<FakeInfluxOptions> = {},
): Promise<Bench> {
  const directory = await temporaryDirectory(t);
  const rejectedLines = new RejectedLines({ directory, clock: systemClock });
  const influx = resources.use(await FakeInflux.start({ version: "v3", ...options }));
  const bench = resources.use(new DeliveryBench());
  const sender = bench.start(targetSettings({ url: influx.url, protocol }), { rejectedLines });
  const kept = async (): Promise<readonly string[]> => {
    await rejectedLines.close();
    const text = await readFile(path.join(directory, "main.jsonl"), "utf8").catch(() => "");
    const records = text.split("\n").filter(Boolean);
    return records.map((record) => (JSON.parse(record) as { line?: string }).line ?? record).sort();
  };
  return { influx, bench, sender, kept };
}

/** Returns the lines of a cycle of 20 VMs: `vm_metrics` with an integer `cpu_count`, and three other tables. */
function cycle(number: number): readonly string[] {
  return Array.from({ length: 20 }, (_, vm) => [
    `vm_metrics,VMID=${vm},name=vm\\ ${vm} cpu_count=4i,state="running" ${TIME}`,
    `vm_totals,VMID=${vm},name=vm\\ ${vm} up=true,errors=${number}i ${TIME}`,
    ...[0, 1].map((device) => `vm_devices,VMID=${vm},disk=vd${device} reads=${number}i,load=0.5 ${TIME}`),
    ...[0, 1].map((device) => `vm_devices,VMID=${vm},interface=net${device} bytes=${number}i ${TIME}`),
  ]).flat();
}

for (const [name, protocol] of Object.entries(PROTOCOLS))
  for (const release of ["3.6", "3.8", "3.10"] as const) {
    test(`${release}, ${name}: a type conflict costs no good line, and the bad ones are whole on record`, async (t) => {
      await using resources = new AsyncDisposableStack();
      const { influx, bench, sender, kept } = await start(t, resources, protocol, { release });
      // The table is there with another type.
      await bench.append(batchFrom([`vm_metrics,VMID=0 cpu_count=4 ${TIME}`]));
      await until("the table is there", () => influx.stored.length === 1);
      const before = influx.requests.length;
      const lines = cycle(7);
      await bench.append(batchFrom(lines));
      assert.equal(await sender.drain(never), true);
      const isBad = (line: string): boolean => line.startsWith("vm_metrics");
      const stored = new Set(influx.stored.slice(1));
      assert.deepEqual([...stored].sort(), lines.filter((line) => !isBad(line)).sort());
      assert.deepEqual(await kept(), lines.filter(isBad).sort());
      assert.deepEqual([sender.state.rejectedLines, sender.state.deliveredLines], [20, 101]);
      assert.equal(sender.state.state, "Delivering");
      assert.ok(influx.requests.length - before <= 45, `${influx.requests.length - before} requests`);
    });

    test(`${release}, ${name}: bad lines among good ones are whole on record`, async (t) => {
      await using resources = new AsyncDisposableStack();
      const { influx, bench, sender, kept } = await start(t, resources, protocol, { release });
      const good = Array.from({ length: 500 }, (_, index) => goodLine(index));
      const bad = [
        `vm_metrics,name=a\\ very\\ long\\ name\\ of\\ a\\ VM cpu_time= ${TIME}`,
        // Swallows the lines behind it, when the server looks for the end of the text.
        `vm_metrics,name=open state="running ${TIME}`,
        `vm_metrics,name=twice cpu_time=1i,cpu_time=2i ${TIME}`,
      ];
      const [first = "", second = "", third = ""] = bad;
      await bench.append(batchFrom(good.toSpliced(20, 0, first).toSpliced(200, 0, second).toSpliced(400, 0, third)));
      assert.equal(await sender.drain(never), true);
      assert.deepEqual([...new Set(influx.stored)].sort(), good.toSorted());
      assert.deepEqual(await kept(), bad.toSorted());
    });

    test(`${release}, ${name}: at the limit on tables nothing is given up, and raising it delivers all`, async (t) => {
      await using resources = new AsyncDisposableStack();
      const options = { release, maxTables: 0 };
      const { influx, bench, sender } = await start(t, resources, protocol, options);
      await bench.append(batchFrom(cycle(1)));
      await until("the limit is reported", () => sender.state.reason === "TargetRejecting");
      assert.match(sender.state.detail ?? "", /^the server is at a limit: raise it.*number of tables limit of 0/);
      assert.deepEqual([sender.state.rejectedLines, sender.backlog.lines], [0, 120]);
      influx.v3.options.maxTables = 10;
      assert.equal(await sender.drain(never), true);
      assert.equal(new Set(influx.stored).size, 120);
    });

    test(`${release}, ${name}: a full disk and a server that shuts down cost no line`, async (t) => {
      await using resources = new AsyncDisposableStack();
      const { influx, bench, sender } = await start(t, resources, protocol, { release });
      for (const state of ["diskFull", "shuttingDown"] as const) {
        influx.v3.state = state;
        const before = influx.requests.length;
        await bench.append(batchOf(100, before));
        await until("it has failed three times", () => influx.requests.length >= before + 3);
        assert.ok(
          influx.requests.slice(before).every(({ lines }) => lines.length >= 100),
          "nothing is searched",
        );
        assert.equal(sender.state.reason, "TargetUnreachable");
      }
      influx.v3.state = "running";
      assert.equal(await sender.drain(never), true);
      assert.equal(sender.state.rejectedLines, 0);
    });

    test(`${release}, ${name}: a request over the limit is sent in parts`, async (t) => {
      await using resources = new AsyncDisposableStack();
      const { influx, bench, sender } = await start(t, resources, protocol, { release, maxBodyBytes: 4_000 });
      await bench.append(batchOf(500));
      assert.equal(await sender.drain(never), true);
      assert.equal(new Set(influx.stored).size, 500);
      assert.equal(sender.state.rejectedLines, 0);
    });

    test(`${release}, ${name}: a wrong name or token keeps the lines, with a remedy`, async (t) => {
      await using resources = new AsyncDisposableStack();
      const long = { ...protocol, database: "d".repeat(65) };
      const { bench, sender } = await start(t, resources, long, { release });
      await bench.append(batchOf(3));
      await until("it failed", () => sender.state.state === "Failing");
      assert.match(sender.state.detail ?? "", /^check the name of the target's database or bucket: HTTP 400 /);
      const closed = await start(t, resources, protocol, { release, authorization: "Token t" });
      await closed.bench.append(batchOf(3));
      await until("it failed", () => closed.sender.state.reason === "TargetUnauthorized");
      assert.deepEqual([sender.backlog.lines, closed.sender.backlog.lines], [3, 3]);
    });
  }

test("answers that are cut do not hide bad lines: 5,000 conflicts are all on record", async (t) => {
  await using resources = new AsyncDisposableStack();
  const protocol = { version: "v3", database: "metrics", api: "Native" } as const;
  const { influx, bench, sender, kept } = await start(t, resources, protocol);
  await bench.append(batchFrom([`vm_metrics,name=x cpu_time=4 ${TIME}`]));
  await until("the table is there", () => influx.stored.length === 1);
  const bad = Array.from({ length: 2_500 }, (_, index) => goodLine(index));
  const good = bad.map((line) => line.replace("vm_metrics", "vm_other"));
  await bench.append(batchFrom(bad.flatMap((line, index) => [line, good[index] ?? ""])));
  assert.equal(await sender.drain(never), true);
  assert.deepEqual([...new Set(influx.stored.slice(1))].sort(), good.toSorted());
  assert.deepEqual(await kept(), bad.toSorted());
  assert.ok(influx.requests.length <= 60, `${influx.requests.length} requests`);
});
