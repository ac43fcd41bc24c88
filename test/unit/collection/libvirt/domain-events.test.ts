import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { LAUNCHER_BUDGET } from "../../../../src/budget.ts";
import { BALLOON, DEVICES, EVENTS, JOBS, type StatsNeed } from "../../../../src/collection/stats-needs.ts";
import type { VmEvent, VmReport } from "../../../../src/collection/vm-report.ts";
import { PROCEDURE } from "../../../../src/libvirt/protocol.ts";
import type { DomainEvent } from "../../../../src/libvirt/types.ts";
import { SimulatedEndpoint, type EndpointOptions } from "../../../support/simulated-endpoint.ts";
import { turns } from "../../../support/turns.ts";

const REBOOT = { name: "REBOOT", numbers: [] } as const;
const BOOTED = { name: "LIFECYCLE", numbers: [2, 0] } as const;
const CRASHED = { name: "LIFECYCLE", numbers: [5, 2] } as const;
const CYCLE_MS = 5_000;

/** Starts a daemon and a source that collects events, and runs the first cycle. */
async function bench(t: TestContext, options: EndpointOptions = {}, needs: readonly StatsNeed[] = [EVENTS]) {
  const events: VmEvent[] = [];
  const onReport = (report: VmReport): void => {
    if ("kind" in report) events.push(report);
  };
  const endpoint = await SimulatedEndpoint.start(t, { settings: { needs, onReport }, ...options });
  await endpoint.cycle();
  return {
    endpoint,
    events,
    /** Lets something happen to the first domain, and waits until it has arrived. */
    async happens(event: Omit<DomainEvent, "domain">, domain: Partial<DomainEvent["domain"]> = {}): Promise<void> {
      endpoint.host.emit({ ...event, domain: { ...endpoint.domain("vm-001").ref, ...domain } });
      await turns(60);
    },
    /** Returns kind, detail and count of the events since the last call. */
    taken: () => events.splice(0).map(({ kind, detail, count }) => [kind, detail ?? "", count]),
  };
}

test("an event arrives between two cycles, with the identity of the samples", async (t) => {
  const { endpoint, events, happens } = await bench(t);
  const { identity } = await endpoint.sample();
  const timestampMs = endpoint.clock.now();
  await happens({ name: "WATCHDOG", numbers: [2] });
  assert.deepEqual(events, [{ timestampMs, identity, kind: "watchdog", detail: "reset", count: 1 }]);
  assert.equal(events[0]?.identity, identity);
});

test("events of the same millisecond have different time stamps", async (t) => {
  const { events, happens } = await bench(t);
  await happens(REBOOT);
  await happens(REBOOT);
  const [first, second] = events;
  assert.equal(second?.timestampMs, (first?.timestampMs ?? 0) + 1);
});

test("an event after the end of a run has no id, and belongs to that run", async (t) => {
  const { endpoint, events, happens } = await bench(t);
  await happens(CRASHED, { id: -1 });
  assert.equal(events[0]?.identity.id, 1);
  endpoint.host.inactive.add("vm-001");
  await endpoint.cycle();
  await happens(CRASHED, { id: -1 });
  await endpoint.cycle();
  await happens(CRASHED, { id: -1 });
  assert.deepEqual([events[1]?.identity.id, events[2]?.identity.id], [1, 1], "libvirt needs time to end a QEMU");
  await endpoint.clock.advance(60_000);
  await endpoint.cycle();
  await happens(CRASHED, { id: -1 });
  assert.equal(events.length, 3, "a domain that does not run");
});

test("the last events of a domain that libvirt is ending arrive although calls about it have no answer", async (t) => {
  const { endpoint, happens, taken } = await bench(t, { domains: 1 });
  endpoint.host.lock("vm-001");
  await endpoint.cycle();
  await happens(CRASHED, { id: -1 });
  assert.deepEqual(taken(), [["lifecycle", "stopped-crashed", 1]]);
  endpoint.host.unlock("vm-001");
  await endpoint.cycle();
  await happens(REBOOT);
  assert.deepEqual(taken(), [["reboot", "", 1]], "the next connection has replaced the first one");
  assert.equal(endpoint.clients, 1);
});

/** As `bench`, with a launcher whose next cycle makes its calls ahead. */
async function steadyLauncher(t: TestContext) {
  const started = await bench(t, { domains: 1 }, [EVENTS, DEVICES]);
  started.endpoint.host.cgroups = false;
  await started.endpoint.cycle();
  await started.endpoint.cycle();
  return started;
}

test("the last events of a launcher arrive although its cycle has made a call that nothing needs", async (t) => {
  const { endpoint, happens, taken } = await steadyLauncher(t);
  endpoint.host.inactive.add("vm-001");
  await endpoint.cycle();
  await happens(CRASHED, { id: -1 });
  assert.deepEqual(taken(), [["lifecycle", "stopped-crashed", 1]]);
});

test("the last events of a launcher arrive although its call for statistics returns before them", async (t) => {
  const { endpoint, happens, taken } = await steadyLauncher(t);
  endpoint.host.lock("vm-001");
  await endpoint.cycle();
  endpoint.host.unlock("vm-001");
  await turns(60);
  await happens(CRASHED, { id: -1 });
  assert.deepEqual(taken(), [["lifecycle", "stopped-crashed", 1]]);
  await endpoint.cycle();
  await happens(REBOOT);
  assert.deepEqual(taken(), [["reboot", "", 1]]);
  assert.equal(endpoint.clients, 1);
});

test("a domain that starts between two cycles has events at once", async (t) => {
  const { events, happens } = await bench(t);
  await happens(BOOTED, { id: 9 });
  await happens(CRASHED, { id: -1 });
  assert.deepEqual(
    events.map(({ identity }) => identity.id),
    [9, 9],
  );
});

test("each new connection is subscribed, and no event arrives twice", async (t) => {
  const { endpoint, happens, taken } = await bench(t);
  assert.ok(endpoint.newCalls("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY") > 10);
  await endpoint.cycle();
  assert.equal(endpoint.newCalls("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY"), 0, "one subscription is enough");
  await endpoint.stopDaemon();
  await happens(REBOOT);
  await endpoint.startDaemon();
  await endpoint.cycle();
  assert.deepEqual(taken(), [], "what happens without a connection is not an event");
  await happens(REBOOT);
  assert.deepEqual(taken(), [["reboot", "", 1]]);
});

test("a connection that waits for a stuck QEMU brings no second event", async (t) => {
  const { endpoint, happens, taken } = await bench(t, {}, [EVENTS, DEVICES, BALLOON]);
  endpoint.host.stuck.add("vm-002");
  await endpoint.cycle();
  assert.equal(endpoint.clients, 2);
  await happens(REBOOT);
  assert.deepEqual(taken(), [["reboot", "", 1]]);
});

test("an event that comes with the answer to the subscription of the next connection is not lost", async (t) => {
  const { endpoint, taken } = await bench(t, {}, [EVENTS, DEVICES, BALLOON]);
  const { host } = endpoint;
  const registrations = (): number => host.calls.get(PROCEDURE.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY) ?? 0;
  const expected = 2 * registrations();
  const { ref } = endpoint.domain("vm-001");
  const thawed = host.thawed.bind(host);
  let isSent = false;
  host.thawed = async () => {
    await thawed();
    if (isSent || registrations() < expected) return;
    isSent = true;
    // Behind the answer to the last registration.
    setImmediate(() => {
      host.emit({ ...REBOOT, domain: ref });
    });
  };
  host.stuck.add("vm-002");
  await endpoint.cycle();
  assert.ok(isSent, "the blocked call needs a second connection");
  assert.deepEqual(taken(), [["reboot", "", 1]]);
});

test("without the family Events nothing is subscribed, and a change takes effect in the next cycle", async (t) => {
  const { endpoint, happens, taken } = await bench(t);
  endpoint.newCalls("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY");
  endpoint.source.configure({ timeoutMs: 4_000, deviceCacheTtlMs: 300_000, needs: [] });
  await endpoint.cycle();
  await happens(REBOOT);
  assert.deepEqual([endpoint.newCalls("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY"), taken()], [0, []]);
});

test("a VM has 100 events in a minute, and more are counted in one", async (t) => {
  const { endpoint, happens, taken } = await bench(t);
  for (let event = 0; event < 130; event++) await happens(REBOOT);
  await happens(REBOOT, endpoint.domain("vm-002").ref);
  const [others, left] = [taken(), 60_000 - CYCLE_MS];
  assert.equal(others.length, 101, "another VM has its own limit");
  await endpoint.clock.advance(left);
  assert.deepEqual(taken(), []);
  await endpoint.cycle();
  await endpoint.cycle();
  assert.deepEqual(taken(), [["left-out", "", 30]]);
  await happens(REBOOT);
  assert.deepEqual(taken(), [["reboot", "", 1]], "the next minute");
});

test("events that were left out are counted when the source is closed", async (t) => {
  const { endpoint, happens, taken } = await bench(t);
  for (let event = 0; event < 103; event++) await happens(REBOOT);
  taken();
  endpoint.source.close();
  assert.deepEqual(taken(), [["left-out", "", 3]]);
});

test("a VM that the configuration does not collect has no events", async (t) => {
  const { taken, happens } = await bench(t, { identify: () => undefined });
  await happens(REBOOT);
  assert.deepEqual(taken(), []);
});

const LAUNCHER: EndpointOptions = { domains: 1, transient: true, budget: LAUNCHER_BUDGET };

test("an event of a domain of another name is an error of the next cycle, and no event", async (t) => {
  const identify: EndpointOptions["identify"] = (domain) => {
    if (domain.name !== "vm-001") throw new Error("foreign");
    return domain;
  };
  const { endpoint, taken, happens } = await bench(t, { ...LAUNCHER, identify });
  await happens(REBOOT, { name: "vm-999" });
  assert.deepEqual(taken(), []);
  const { errors } = await endpoint.cycle();
  assert.match(errors[0]?.message ?? "", /foreign/);
  assert.deepEqual((await endpoint.cycle()).errors, []);
});

test("a name in an event has the limit of a domain's name", async (t) => {
  const { endpoint, taken, happens } = await bench(t, LAUNCHER);
  await happens(REBOOT, { name: "x".repeat(400) });
  assert.deepEqual(taken(), []);
  const { outcome, errors } = await endpoint.cycle();
  assert.deepEqual([outcome, errors[0]?.rejection], ["failed", "NameLength"]);
});

test("events of ever new runs exceed the budget of a launcher", async (t) => {
  const { endpoint, taken, happens } = await bench(t, LAUNCHER);
  for (let id = 2; id < 50; id++) await happens(BOOTED, { id });
  assert.equal(taken().length, LAUNCHER_BUDGET.runs - 1);
  const { outcome, errors } = await endpoint.cycle();
  assert.deepEqual([outcome, errors[0]?.rejection], ["failed", "Runs"]);
});

test("a flood of events ends the connection of a launcher, and 100 events of it arrive", async (t) => {
  const { endpoint, taken, happens } = await bench(t, LAUNCHER);
  for (let event = 0; event < 700; event++) endpoint.host.emit({ ...REBOOT, domain: endpoint.domain("vm-001").ref });
  await happens(REBOOT);
  assert.equal(taken().length, 100);
  const { outcome, errors } = await endpoint.cycle();
  assert.deepEqual([outcome, errors[0]?.rejection], ["failed", "UnaskedPackets"]);
  assert.deepEqual(taken(), [["left-out", "", 500]]);
});

test("a threshold that libvirt sends for the disk and for its image is one event", async (t) => {
  const { events, happens } = await bench(t);
  for (const device of ["vda", "vda[2]", "vdb[3]", "vda[2]"])
    await happens({ name: "BLOCK_THRESHOLD", device, numbers: [4_096, 512] });
  assert.deepEqual(
    events.map(({ device }) => device),
    ["vda", "vdb[3]", "vda[2]"],
  );
});

test("the statistics of a job, which a launcher can fill with a megabyte, are not kept after its event", async (t) => {
  setFlagsFromString("--expose-gc");
  const refs: WeakRef<object>[] = [];
  const onReport = (report: VmReport): void => {
    if ("operation" in report) refs.push(new WeakRef(report.params));
  };
  const needs = [EVENTS, JOBS];
  const { happens } = await bench(t, { settings: { needs, onReport } }, needs);
  await happens({ name: "JOB_COMPLETED", numbers: [], params: new Map([["errmsg", "x".repeat(1_000)]]) });
  (runInNewContext("gc") as () => void)();
  assert.deepEqual([refs.length, refs[0]?.deref()], [1, undefined]);
});
