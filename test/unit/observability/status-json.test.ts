import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentView } from "../../../src/observability/agent-view.ts";
import { statusPages } from "../../../src/observability/status-page.ts";
import { agentView, launcher, troubledView, vm } from "../../support/agent-view.ts";

interface Status {
  readonly [field: string]: unknown;
  readonly vms: readonly Readonly<Record<string, unknown>>[];
  readonly problems: readonly string[];
}

function status(view: AgentView, query = ""): Status {
  const { type, body } = statusPages(view)["/status.json"](new URLSearchParams(query));
  assert.equal(type, "application/json; charset=utf-8");
  return JSON.parse(body) as Status;
}

test("the state for programs has each VM with its load, in base units", () => {
  const { vms, ...rest } = status(agentView());
  assert.deepEqual([rest["node"], rest["vmCount"], rest["problemCount"]], ["worker-7", 1, 0]);
  assert.deepEqual(vms, [
    {
      name: "shop/web-1",
      uuid: "00000000-0000-4000-8000-000000000001",
      state: "running",
      stuck: false,
      reason: null,
      vcpus: 2,
      memoryBytes: 768 * 2 ** 20,
      residentBytes: 768 * 700 * 1024,
      memoryUsedPercent: null,
      stealPercent: null,
      diskLatencySeconds: null,
      cpuPercent: 12,
      diskReadBytesPerSecond: 0,
      diskWriteBytesPerSecond: 0,
      diskReadsPerSecond: 0,
      diskWritesPerSecond: 0,
      netReceivedBytesPerSecond: 0,
      netSentBytesPerSecond: 0,
    },
  ]);
});

test("the state for programs has the problems, targets and daemons of the page", () => {
  const { problemCount, targets, daemons } = status(troubledView());
  assert.equal(problemCount, 5);
  assert.deepEqual(
    (targets as { state: string; queuedLines: number }[]).map(({ state, queuedLines }) => [state, queuedLines]),
    [
      ["Delivering", 0],
      ["Failing", 116_160],
    ],
  );
  assert.deepEqual(
    (daemons as { state: string }[]).map(({ state }) => state),
    ["up", "up", "up", "stuck", "failed", "absent"],
  );
});

test("the state for programs is searched, sorted and cut like the page", () => {
  const { libvirt } = agentView();
  const vms = Array.from({ length: 450 }, (_, index) => vm("a", `vm-${index}`, index, { memoryMiB: index + 1 }));
  const view = agentView({ libvirt: { ...libvirt, endpoints: [launcher("x", vms)] } });
  const { vms: shown, ...rest } = status(view, "page=2&sort=memory&q=VM-");
  assert.deepEqual([shown.length, shown[0]?.["name"]], [200, "a/vm-249"]);
  assert.deepEqual([rest["page"], rest["pages"], rest["vmCount"], rest["matchingCount"]], [2, 3, 450, 450]);
});

test("texts of any length and any number of daemons make no large answer", () => {
  const long = "<".repeat(10_000);
  const { libvirt } = agentView();
  const broken = { state: "failed", error: { code: "E_X", message: long } } as const;
  const endpoints = Array.from({ length: 1_000 }, (_, index) => launcher(`${index}`, [vm(long, long, index)], broken));
  const { body } = statusPages(agentView({ node: long, libvirt: { ...libvirt, endpoints } }))["/status.json"](
    new URLSearchParams(),
  );
  assert.ok(body.length < 600_000, String(body.length));
});
