import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { JobProgress } from "../../../../src/collection/libvirt/job-progress.ts";
import { BALLOON, DEVICES, JOBS, type StatsNeed } from "../../../../src/collection/stats-needs.ts";
import type { VmName } from "../../../../src/collection/libvirt/domain-history.ts";
import type { VmJob, VmReport } from "../../../../src/collection/vm-report.ts";
import type { LibvirtClient } from "../../../../src/libvirt/client.ts";
import { JOB_TYPE } from "../../../../src/libvirt/protocol.ts";
import type { DomainEvent, DomainJobStats, TypedValue } from "../../../../src/libvirt/types.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { SimulatedEndpoint, type EndpointOptions } from "../../../support/simulated-endpoint.ts";
import { turns } from "../../../support/turns.ts";

const NAME = "vm-001";
const PASS = { name: "MIGRATION_ITERATION", numbers: [1] } as const;

/** Starts a daemon and a source that collects jobs, and runs the first cycle. */
async function bench(t: TestContext, options: EndpointOptions = {}, needs: readonly StatsNeed[] = [JOBS]) {
  const jobs: VmJob[] = [];
  const onReport = (report: VmReport): void => {
    if ("operation" in report) jobs.push(report);
  };
  const endpoint = await SimulatedEndpoint.start(t, { settings: { needs, onReport }, ...options });
  await endpoint.cycle();
  return {
    endpoint,
    async happens(event: Omit<DomainEvent, "domain">): Promise<void> {
      endpoint.host.emit({ ...event, domain: endpoint.domain(NAME).ref });
      await turns(60);
    },
    /** Begins a job five seconds ago. */
    begin: () => endpoint.host.jobs.set(NAME, endpoint.clock.monotonic() - 5_000),
    /** Runs a cycle. Returns operation, elapsed time and success of the reports since the last call. */
    async cycle() {
      await endpoint.cycle();
      return jobs.splice(0).map(({ operation, params, success }) => [operation, params.get("time_elapsed"), success]);
    },
  };
}

test("a job has a report in each cycle from its first sign on, and is not asked for without one", async (t) => {
  const { endpoint, happens, begin, cycle } = await bench(t);
  begin();
  assert.deepEqual(await cycle(), []);
  assert.equal(endpoint.newCalls("DOMAIN_GET_JOB_STATS"), 0);
  await happens(PASS);
  assert.deepEqual(await cycle(), [["migration-out", 10_000n, undefined]]);
  assert.deepEqual(await cycle(), [["migration-out", 15_000n, undefined]]);
  assert.equal(endpoint.newCalls("DOMAIN_GET_JOB_STATS"), 2);
});

test("each of five migrations on one daemon has a report in each cycle", async (t) => {
  const { endpoint, cycle } = await bench(t, { domains: 5 });
  for (const [name, { ref }] of endpoint.host.domains) {
    endpoint.host.jobs.set(name, endpoint.clock.monotonic());
    endpoint.host.emit({ ...PASS, domain: ref });
  }
  await turns(60);
  for (let cycles = 0; cycles < 3; cycles++) {
    assert.equal((await cycle()).length, 5);
    assert.equal(endpoint.newCalls("DOMAIN_GET_JOB_STATS"), 5);
  }
});

test("at most two calls wait for QEMUs that do not answer during their jobs, and the others are asked afterwards", async (t) => {
  const { endpoint, cycle } = await bench(t, { domains: 5 });
  for (const [name, { ref }] of endpoint.host.domains) {
    endpoint.host.jobs.set(name, endpoint.clock.monotonic());
    endpoint.host.emit({ ...PASS, domain: ref });
    endpoint.host.stuck.add(name);
  }
  for (let cycles = 0; cycles < 3; cycles++) assert.deepEqual(await cycle(), []);
  assert.equal(endpoint.newCalls("DOMAIN_GET_JOB_STATS"), 2);
  for (const name of endpoint.host.domains.keys()) endpoint.host.release(name);
  await turns(120);
  assert.equal(endpoint.newCalls("DOMAIN_GET_JOB_STATS"), 3);
});

test("a job that ends while the family is off is not reported when the family is on again", async (t) => {
  const reports: VmReport[] = [];
  const settings = {
    timeoutMs: 4_000,
    deviceCacheTtlMs: 300_000,
    onReport: (report: VmReport) => reports.push(report),
  };
  const { endpoint, happens, begin } = await bench(t, { settings: { ...settings, needs: [JOBS] } });
  begin();
  await happens(PASS);
  await endpoint.cycle();
  assert.equal(reports.splice(0).length, 1);
  endpoint.source.configure({ ...settings, needs: [] });
  await endpoint.cycle();
  endpoint.host.jobs.delete(NAME);
  endpoint.source.configure({ ...settings, needs: [JOBS] });
  for (let cycles = 0; cycles < 3; cycles++) await endpoint.cycle();
  assert.deepEqual(reports, []);
});

test("the event of its end reports a job once, with its statistics and success", async (t) => {
  const { endpoint, happens, begin, cycle } = await bench(t);
  begin();
  await happens(PASS);
  await cycle();
  endpoint.host.jobs.delete(NAME);
  const params = new Map<string, TypedValue>([
    ["operation", 5],
    ["time_elapsed", 7_000n],
    ["downtime", 41n],
  ]);
  await happens({ name: "JOB_COMPLETED", numbers: [], params });
  assert.deepEqual(await cycle(), [["migration-out", 7_000n, true]]);
  assert.deepEqual(await cycle(), []);
  await happens({ name: "JOB_COMPLETED", numbers: [], params: new Map([...params, ["success", false]]) });
  assert.deepEqual(await cycle(), [["migration-out", 7_000n, false]], "a backup that has failed says so");
});

test("a job without statistics of its end has failed", async (t) => {
  const { endpoint, happens, begin, cycle } = await bench(t);
  begin();
  await happens(PASS);
  await cycle();
  endpoint.host.jobs.delete(NAME);
  assert.deepEqual(await cycle(), [["migration-out", 5_000n, false]]);
  assert.deepEqual(await cycle(), []);
});

test("a job whose end libvirt knows has its statistics, and those of an earlier job do not count", async (t) => {
  const { endpoint, happens, begin, cycle } = await bench(t);
  for (const [elapsed, expected] of [
    [6_000n, [6_000n, true]],
    [1_000n, [5_000n, false]],
  ] as const) {
    begin();
    await happens(PASS);
    await cycle();
    endpoint.host.jobs.delete(NAME);
    endpoint.host.endedJobs.set(
      NAME,
      new Map<string, TypedValue>([
        ["operation", 5],
        ["time_elapsed", elapsed],
      ]),
    );
    assert.deepEqual(await cycle(), [["migration-out", ...expected]]);
  }
});

test("the VMI says that a job runs, and stops saying it", async (t) => {
  let migration: VmName["migration"] = { uid: "m1", isLeaving: true, steps: [] };
  const identify: EndpointOptions["identify"] = (domain) => ({
    ...domain,
    ...(migration !== undefined && { migration }),
  });
  const { endpoint, begin, cycle } = await bench(t, { domains: 1, identify });
  assert.deepEqual(await cycle(), [], "it has not begun");
  begin();
  assert.deepEqual(await cycle(), [["migration-out", 5_000n, undefined]]);
  migration = undefined;
  endpoint.host.jobs.delete(NAME);
  assert.equal((await cycle()).length, 1);
  endpoint.newCalls("DOMAIN_GET_JOB_STATS");
  await cycle();
  assert.equal(endpoint.newCalls("DOMAIN_GET_JOB_STATS"), 0);
});

test("a QEMU that does not answer during its job delays no other domain, and is asked once", async (t) => {
  const { endpoint, happens, begin, cycle } = await bench(t, {}, [JOBS, DEVICES, BALLOON]);
  begin();
  await happens(PASS);
  endpoint.host.stuck.add(NAME);
  for (let cycles = 0; cycles < 3; cycles++) assert.deepEqual(await cycle(), []);
  assert.equal(endpoint.newCalls("DOMAIN_GET_JOB_STATS"), 1);
  const { samples } = await endpoint.cycle();
  assert.equal(samples.length, 3);
  endpoint.host.release(NAME);
  await turns(60);
  assert.equal((await cycle()).length > 0, true);
});

test("a cycle without the family asks for no job", async (t) => {
  const { endpoint, happens, begin } = await bench(t);
  begin();
  await happens(PASS);
  await endpoint.cycle([]);
  assert.equal(endpoint.newCalls("DOMAIN_GET_JOB_STATS"), 0);
});

test("of a job that runs no texts are kept, because a launcher can send a megabyte of them", async () => {
  const reported: VmJob[] = [];
  const progress = new JobProgress(new FakeClock(), (job) => void reported.push(job));
  const [run, identity] = [
    { name: "web", uuid: "u", id: 1 },
    { name: "web", uuid: "u", id: 1 },
  ];
  const params = new Map<string, TypedValue>([
    ["operation", 5],
    ["time_elapsed", 7_000n],
    ["errmsg", "x".repeat(1_000)],
  ]);
  const answers: DomainJobStats[] = [
    { type: JOB_TYPE.UNBOUNDED, params },
    { type: JOB_TYPE.NONE, params: new Map() },
    { type: JOB_TYPE.NONE, params: new Map() },
  ];
  const session = {
    domainJobStats: () => Promise.resolve(answers.shift()),
  } as unknown as LibvirtClient;
  progress.expect(run);
  for (let cycle = 0; cycle < 2; cycle++) {
    progress.poll(session, run, identity);
    await turns(5);
  }
  const end = reported.at(-1);
  assert.deepEqual(
    [end?.operation, end?.success, [...(end?.params.keys() ?? [])]],
    [...["migration-out", false], ["operation", "time_elapsed"]],
  );
});
