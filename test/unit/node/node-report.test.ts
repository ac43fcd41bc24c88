import assert from "node:assert/strict";
import { test } from "node:test";
import type { SourceCycle } from "../../../src/collection/source.ts";
import { BudgetError, TelemetryError } from "../../../src/errors.ts";
import type { StoreFault } from "../../../src/kubernetes/store-fault.ts";
import { LibvirtError } from "../../../src/libvirt/errors.ts";
import { EndpointStates } from "../../../src/node/endpoint-states.ts";
import { NodeReport } from "../../../src/node/node-report.ts";
import { FakeClock } from "../../support/fake-clock.ts";

/** A node with two launchers, `here` and `elsewhere`, named for where their VMIs run. */
function bench() {
  const clock = new FakeClock();
  const endpoints = new EndpointStates(clock);
  const pods = { denied: [] as string[], unresponsive: [] as string[] };
  const state = { error: undefined as unknown, droppedLines: 0, namesFault: undefined as StoreFault | undefined };
  const report = new NodeReport({
    agent: { version: "1", podUID: "agent", startedMs: 0 },
    podsDir: "/pods",
    state: { endpoints },
    pipeline: { stats: { versions: ["9.0.0"], calls: 0, blockedCalls: 0 } },
    router: {
      senders: [],
      get droppedLines() {
        return state.droppedLines;
      },
    },
    inventory: { runsHere: (podUid) => ["here", "closed"].includes(podUid) },
    vmis: {
      get fault() {
        return state.namesFault;
      },
    },
    launchers: {
      get error() {
        return state.error;
      },
      launchers: ["here", "elsewhere"].map((podUid) => ({ podUid, socket: `/pods/${podUid}` })),
      get unusable() {
        return (["denied", "unresponsive"] as const).flatMap((reason) =>
          pods[reason].map((podUid) => ({ podUid, reason, where: `/pods/${podUid}/${reason}` })),
        );
      },
    },
    config: { origin: undefined, fault: undefined },
    selectedBy: () => [],
    clock,
  });
  const cycle = (endpoint: string, change: Partial<SourceCycle>): void => {
    const silent = { stuck: [], busy: [], slow: [] };
    endpoints.recordCycle({
      endpoint,
      outcome: "failed",
      samples: [],
      ...silent,
      errors: [],
      tolerated: [],
      ...change,
    });
  };
  const failures = (): readonly unknown[] =>
    report.observe().libvirt.failures.map(({ where, denied, message }) => [where, denied, message]);
  return { clock, pods, state, report, cycle, failures };
}

const absent: Partial<SourceCycle> = {
  outcome: "absent",
  errors: [new LibvirtError("E_LIBVIRT_UNREACHABLE", "no listener")],
};

test("a fault of the list of VMIs is in the report", () => {
  const { state, report } = bench();
  assert.equal(report.observe().namesFault, undefined);
  state.namesFault = { reason: "TooLarge", message: "1 object is left out" };
  assert.deepEqual(report.observe().namesFault, state.namesFault);
});

test("a launcher without a daemon is a failure after a minute, if its VMI runs here", async () => {
  const { clock, cycle, failures, report } = bench();
  cycle("/pods/here", absent);
  cycle("/pods/elsewhere", absent);
  assert.deepEqual(failures(), []);
  assert.equal(report.observe().libvirt.endpoints, 0);
  await clock.advance(61_000);
  assert.deepEqual(failures(), [["/pods/here", false, "no listener"]]);
});

test("a launcher that is starting is not a failure", () => {
  const { cycle, failures } = bench();
  cycle("/pods/here", { outcome: "starting", tolerated: [new LibvirtError("E_LIBVIRT_TIMEOUT", "no answer")] });
  assert.deepEqual(failures(), []);
});

test("an unresponsive launcher is a failure, if its VMI runs here", () => {
  const { pods, failures } = bench();
  pods.unresponsive = ["here", "elsewhere", "ended"];
  assert.deepEqual(failures(), [["/pods/here", false, "virt-handler marked it as unresponsive"]]);
});

test("a launcher that the agent may not read is one failure, although it is a failed endpoint too", () => {
  const { pods, cycle, failures } = bench();
  pods.denied = ["here"];
  cycle("/pods/here/denied", { errors: [new LibvirtError("E_LIBVIRT_DENIED", "cannot be read")] });
  assert.deepEqual(failures(), [["/pods/here", true, "the agent may not read it"]]);
});

test("denied access is distinguished from a missing answer", () => {
  const { pods, cycle, failures } = bench();
  pods.denied = ["closed", "elsewhere"];
  cycle("/pods/here", { errors: [new LibvirtError("E_LIBVIRT_DENIED", "no permission")] });
  cycle("/pods/elsewhere", { outcome: "collected", stuck: ["prod_web"], busy: ["prod_db"], slow: ["prod_new"] });
  assert.deepEqual(failures(), [
    ["/pods/closed", true, "the agent may not read it"],
    ["/pods/here", true, "no permission"],
    ["/pods/elsewhere", false, "the QEMU of prod_web does not answer"],
    ["/pods/elsewhere", false, "prod_db is busy with a job of another client"],
  ]);
});

test("a launcher that misbehaves is no failure of libvirt, and is named", () => {
  const { cycle, failures, report } = bench();
  cycle("/pods/here", { errors: [new BudgetError("Domains", "the launcher of shop/web exceeds its budget")] });
  const foreign = new TelemetryError("E_DOMAIN_FOREIGN", "the launcher of shop/db has a domain with another name");
  cycle("/pods/elsewhere", { outcome: "collected", errors: [foreign] });
  assert.deepEqual(failures(), []);
  assert.deepEqual(report.observe().libvirt.misbehavior, [
    "the launcher of shop/web exceeds its budget",
    "the launcher of shop/db has a domain with another name",
  ]);
  cycle("/pods/here", { outcome: "collected" });
  cycle("/pods/elsewhere", { errors: [new LibvirtError("E_LIBVIRT_TIMEOUT", "no answer")] });
  assert.deepEqual([failures().length, report.observe().libvirt.misbehavior], [1, []]);
});

test("an honest launcher of a large VM that is sampled less often does not misbehave", () => {
  const { cycle, failures, report } = bench();
  cycle("/pods/here", {
    outcome: "collected",
    errors: [new BudgetError("SharedParameters", "the launcher of shop/web is sampled less often")],
  });
  const { misbehavior, sampledLessOften } = report.observe().libvirt;
  assert.deepEqual(
    [failures(), misbehavior, sampledLessOften],
    [[], [], ["the launcher of shop/web is sampled less often"]],
  );
});

test("a pod of no VMI that the agent cannot read is not a failure", () => {
  const { pods, failures } = bench();
  pods.denied = ["other"];
  assert.deepEqual(failures(), []);
});

test("a pods directory that cannot be read is the only failure", () => {
  const { state, pods, failures } = bench();
  pods.denied = ["other"];
  state.error = Object.assign(new Error("EACCES: permission denied"), { code: "EACCES" });
  assert.deepEqual(failures(), [["/pods", true, "EACCES: permission denied"]]);
  state.error = Object.assign(new Error("ENOENT: no such file"), { code: "ENOENT" });
  assert.deepEqual(failures(), [["/pods", false, "ENOENT: no such file"]]);
});

test("a loss to a cap is reported for five minutes", async () => {
  const { clock, state, report } = bench();
  assert.equal(report.observe().bufferFault, undefined);
  state.droppedLines = 7;
  assert.deepEqual(report.observe().bufferFault, {
    reason: "BufferFull",
    message: "7 lines were dropped since the agent started",
  });
  await clock.advance(300_001);
  assert.equal(report.observe().bufferFault, undefined);
});

test("a daemon answers if no QEMU of its domains is silent", () => {
  const { cycle, report, state } = bench();
  cycle("/pods/here", { outcome: "collected" });
  cycle("/pods/elsewhere", { errors: [new LibvirtError("E_LIBVIRT_TIMEOUT", "no answer")] });
  assert.equal(report.observe().libvirt.answering, 1);
  cycle("/pods/here", { outcome: "collected", stuck: ["prod_web"] });
  assert.equal(report.observe().libvirt.answering, 0);
  cycle("/pods/here", { outcome: "collected" });
  state.error = new Error("no such directory");
  assert.equal(report.observe().libvirt.answering, 0, "the pods directory cannot be read");
});
