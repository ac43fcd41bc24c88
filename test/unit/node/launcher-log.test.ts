import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { VmiInventory } from "../../../src/discovery/inventory.ts";
import { ALL_VMS, namingRules } from "../../../src/node/launcher-endpoints.ts";
import { LauncherLog } from "../../../src/node/launcher-log.ts";
import { FakeClock } from "../../support/fake-clock.ts";

function bench() {
  const clock = new FakeClock();
  const entries: Record<string, unknown>[] = [];
  const log = pino(
    { base: null, timestamp: false, formatters: { level: (level) => ({ level }) } },
    { write: (line) => void entries.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const vmi = {
    namespace: "prod",
    name: "web",
    uid: "u",
    labels: {},
    annotations: {},
    nodeName: "n1",
    pods: ["pod-a"],
  };
  const inventory = new VmiInventory([new Map([["prod/web", vmi]])], () => true, namingRules(ALL_VMS, "n1"));
  const launcherLog = new LauncherLog(log, inventory, clock);
  /** What a scan with these findings makes it say. */
  const scan = (denied: readonly string[], unresponsive: readonly string[]): Record<string, unknown>[] => {
    launcherLog.scanned({ passedOver: (state) => (state === "denied" ? denied : unresponsive) });
    return entries.splice(0);
  };
  return { clock, scan };
}

test("a launcher that virt-handler has given up is told once, with its VM, and again if it happens again", () => {
  const { scan } = bench();
  const msg = "virt-handler has given this launcher up (launcher-unresponsive): its VM is not collected";
  assert.deepEqual(scan([], []), []);
  assert.deepEqual(scan([], ["pod-a"]), [{ level: "warn", podUid: "pod-a", vm: "prod/web", msg }]);
  assert.deepEqual(scan([], ["pod-a"]), []);
  assert.deepEqual(scan([], ["pod-a", "pod-x"]), [{ level: "warn", podUid: "pod-x", msg }]);
  scan([], []);
  assert.equal(scan([], ["pod-a"]).length, 1);
});

test("pods that the agent may not look into are told in one line, and every five minutes", async () => {
  const { clock, scan } = bench();
  const [first, ...others] = scan(["pod-a", "pod-b"], []);
  assert.deepEqual([first?.["level"], first?.["pods"], first?.["example"], others], ["warn", 2, "pod-a", []]);
  assert.deepEqual(scan(["pod-a", "pod-b", "pod-c"], []), []);
  await clock.advance(300_000);
  assert.equal(scan(["pod-a"], []).length, 1);
});
