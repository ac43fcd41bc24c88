import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import { RunningAgent, target1 } from "./support/agent.ts";
import type { Row } from "./support/csv.ts";
import { Influxd1 } from "./support/influxd1.ts";
import { LibvirtHost } from "./support/libvirt-host.ts";
import { until } from "./support/process.ts";

// Live migrations between two real daemons, each slow enough to be seen.

/** At 1 MiB a second some seconds of migration: an empty page has nine bytes. */
const MEMORY_MIB = 4_096;
const resources = new AsyncDisposableStack();
let influx: Influxd1;
let source: LibvirtHost;
let destination: LibvirtHost;

before(async () => {
  influx = resources.use(await Influxd1.start());
  source = resources.use(await LibvirtHost.start());
  destination = resources.use(await LibvirtHost.start());
  resources.use(
    await RunningAgent.start({
      targets: target1(influx, "      flush: {interval: 100ms}\n"),
      interval: "1s",
      spec: "    families: [Metrics, Jobs, Events]",
      sockets: [source.socket, destination.socket],
    }),
  );
});

after(() => resources.disposeAsync());

async function jobs(vm: string): Promise<Row[]> {
  return influx.query(`SELECT * FROM vm_jobs WHERE "name" = '${vm}' AND operation = 'migration-out'`);
}

/** Starts the migration of a new guest, and waits until it has shown its progress. */
async function begin(vm: string): Promise<{ readonly migrated: Promise<unknown> }> {
  await source.createGuest(vm, { paused: false, memoryMiB: MEMORY_MIB, taps: [] });
  await until(
    async () => (await influx.query(`SELECT state FROM vm_metrics WHERE "name" = '${vm}'`))[0],
    `a sample of ${vm}`,
  );
  const socket = `unix://${path.join(destination.dir, `${vm}.sock`)}`;
  const options = ["--live", "--p2p", "--unsafe", "--bandwidth", "1", "--migrateuri", socket];
  const migrated = source.virsh("migrate", ...options, vm, destination.uri);
  // The test fails if the migration ends before it has progress.
  const progress = until(async () => (await jobs(vm)).length >= 3 || undefined, `progress of ${vm}`);
  await Promise.race([progress, migrated.then(() => progress)]);
  return { migrated };
}

/** Asserts that each line but the last is progress, in most seconds one. */
function assertProgress(rows: readonly Row[], success: string): void {
  const ended = rows.filter((row) => (row["success"] ?? "") !== "");
  assert.deepEqual(
    ended.map((row) => row["success"]),
    [success],
    "it ends once",
  );
  assert.equal(rows.at(-1), ended[0], "the end is last");
  const running = rows.slice(0, -1);
  const numbers = (field: string): number[] => running.map((row) => Number(row[field]));
  const elapsed = numbers("elapsed_ms");
  assert.deepEqual(
    elapsed,
    [...elapsed].sort((a, b) => a - b),
  );
  const seconds = ((elapsed.at(-1) ?? 0) - (elapsed[0] ?? 0)) / 1000;
  assert.ok(running.length >= seconds / 2, `${running.length} lines in ${seconds} seconds`);
  for (const total of numbers("data_total_bytes")) assert.ok(total > MEMORY_MIB * 1024 ** 2, String(total));
  const remaining = numbers("data_remaining_bytes");
  assert.ok((remaining.at(-1) ?? 0) < (remaining[0] ?? 0), remaining.join(", "));
}

test("a migration has its progress in each cycle, and at its end a downtime and success", async () => {
  const { migrated } = await begin("moves");
  await source.virsh("migrate-setspeed", "moves", "1000");
  await migrated;
  const ended = await until(
    async () => (await jobs("moves")).find((row) => (row["success"] ?? "") !== ""),
    "the end of the migration",
  );
  const rows = await jobs("moves");
  assertProgress(rows, "1");
  const [downtime, elapsed] = [Number(ended["downtime_ms"]), Number(ended["elapsed_ms"])];
  assert.ok(downtime > 0 && downtime < elapsed, `${downtime} of ${elapsed} ms`);
  const events = await influx.query(`SELECT detail FROM vm_events WHERE "name" = 'moves'`);
  const details = events.map(({ detail }) => detail);
  for (const detail of ["suspended-migrated", "stopped-migrated", "resumed-migrated", "migration-out-completed"])
    assert.ok(details.includes(detail), `${detail}: ${details.join(", ")}`);
});

test("a migration that is aborted says that it has failed", async () => {
  const { migrated } = await begin("stays");
  const rejected = assert.rejects(migrated);
  await source.virsh("domjobabort", "stays");
  await rejected;
  await until(
    async () => (await jobs("stays")).find((row) => (row["success"] ?? "") !== ""),
    "the end of the migration",
  );
  assertProgress(await jobs("stays"), "0");
  assert.equal((await source.virsh("domstate", "stays")).trim(), "running");
});
