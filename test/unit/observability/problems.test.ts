import assert from "node:assert/strict";
import { test } from "node:test";
import { TelemetryError } from "../../../src/errors.ts";
import { healthAnswer } from "../../../src/observability/agent-routes.ts";
import { problemsOf } from "../../../src/observability/problems.ts";
import { agentView, launcher, targetView, troubledView, watchOf } from "../../support/agent-view.ts";

test("a healthy agent has no problems", () => {
  assert.deepEqual(problemsOf(agentView()), []);
});

test("each problem is one sentence with its code and place", () => {
  const socket = (last: number): string =>
    `/p/6b1f3c1e-0d5a-4c55-8c57-c0b2a7a1d00${last}/volumes/kubernetes.io~empty-dir/libvirt-runtime/virtqemud-sock`;
  assert.deepEqual(problemsOf(troubledView()), [
    "SecretNotFound: Secret influxdb-archive has no key token: look into its namespace",
    `${socket(4)}: no answer from the QEMU of batch_nightly`,
    `${socket(5)}: E_LIBVIRT_TIMEOUT: libvirt did not answer CONNECT_LIST_ALL_DOMAINS within 4000 ms`,
    "archive: TargetUnauthorized, 116160 lines queued: HTTP 401 unauthorized access (check the target's credentials and their right to write)",
    "archive: lines rejected since the start: 12 (they are not sent again)",
  ]);
});

test("a failing search for libvirt daemons is a problem", () => {
  const { libvirt } = agentView();
  const fault = new TelemetryError("E_PODS_DIR", "the pods directory cannot be read");
  assert.deepEqual(problemsOf(agentView({ libvirt: { ...libvirt, fault } })), [
    "E_PODS_DIR: the pods directory cannot be read",
  ]);
});

test("dropped lines stay a problem, with the reasons", () => {
  const losses = { cap: 5, age: 0, disk: 0, corrupt: 7 };
  assert.deepEqual(problemsOf(agentView({ targets: [targetView("a", {}, { losses })] })), [
    "a: lines dropped since the start: 5 (cap), 7 (corrupt)",
  ]);
});

test("rejected lines stay a problem", () => {
  const { record } = targetView("a");
  assert.deepEqual(
    problemsOf(agentView({ targets: [{ ...targetView("a"), record: { ...record, rejectedLines: 5 } }] })),
    ["a: lines rejected since the start: 5 (they are not sent again)"],
  );
});

test("an agent without cycles is not healthy on its page while /healthz answers 503", () => {
  const { cycles, monotonicMs } = agentView();
  const view = agentView({ cycles: { ...cycles, progressMs: monotonicMs - cycles.patienceMs - 1 } });
  assert.equal(healthAnswer(view).status, 503);
  assert.deepEqual(problemsOf(view), ["no cycle for 1m 10s: nothing is collected"]);
});

test("lines that could not be written to disk are a problem", () => {
  const { spool } = agentView();
  assert.ok(spool.disk !== undefined);
  assert.deepEqual(problemsOf(agentView({ spool: { ...spool, disk: { ...spool.disk, unsavedLines: 12 } } })), [
    "12 lines could not be written to disk: they are in memory only",
  ]);
});

test("a rejected or incomplete list is a problem", () => {
  const fault = { reason: "TooLarge", message: "1 object is left out: larger than 4 MiB as JSON" } as const;
  assert.deepEqual(problemsOf(agentView({ watches: [{ ...watchOf("VMIs", 3), fault }] })), [
    "VMIs: TooLarge: 1 object is left out: larger than 4 MiB as JSON",
  ]);
});

test("a silent API server is a problem, also before its first answer", () => {
  const watches = [watchOf("A", 1, 60_000), watchOf("B", 1, 185_000), watchOf("C", 0, Infinity)];
  const { process, nowMs } = agentView();
  assert.deepEqual(problemsOf(agentView({ watches, process: { ...process, startedMs: nowMs - 1_000 } })), []);
  assert.deepEqual(problemsOf(agentView({ watches })), [
    "B: no answer from the API server for 3m 5s: the last known state stays active",
    "C: no answer from the API server yet: the last known state stays active",
  ]);
});

test("a launcher that misbehaves is a problem with its VM and its socket, also while it is collected", () => {
  const { libvirt } = agentView();
  const message = "the launcher of shop/web exceeds its budget: more than 1 running domain";
  const error = { code: "E_LAUNCHER_BUDGET", message, rejection: "Domains" as const };
  const socket = launcher("pod", []).endpoint;
  for (const state of ["failed", "up"] as const) {
    const endpoints = [launcher("pod", [], { state, error })];
    assert.deepEqual(problemsOf(agentView({ libvirt: { ...libvirt, endpoints } })), [
      `${socket}: E_LAUNCHER_BUDGET: ${message}`,
    ]);
  }
});

test("a launcher that is sampled less often is a problem", () => {
  const { libvirt } = agentView();
  const error = { code: "E_LAUNCHER_BUDGET", message: "less often", rejection: "SharedParameters" as const };
  const endpoint = launcher("pod", [], { state: "up", error });
  assert.deepEqual(problemsOf(agentView({ libvirt: { ...libvirt, endpoints: [endpoint] } })), [
    `${endpoint.endpoint}: E_LAUNCHER_BUDGET: less often`,
  ]);
});
