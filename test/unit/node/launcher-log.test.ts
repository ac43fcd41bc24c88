import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import type { Vmi } from "../../../src/discovery/vmi.ts";
import { LauncherLog } from "../../../src/node/launcher-log.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { vmi } from "../../support/vmis.ts";

function bench() {
  const clock = new FakeClock();
  const entries: Record<string, unknown>[] = [];
  const log = pino(
    { base: null, timestamp: false, formatters: { level: (level) => ({ level }) } },
    { write: (line) => void entries.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const node = { synced: true, listed: new Map([["pod-a", vmi()]]), launchers: [] as string[] };
  const contested = new Map<string, readonly [Vmi, Vmi]>();
  const inventory = { vmiOf: (podUid: string) => node.listed.get(podUid), contested };
  const launcherLog = new LauncherLog({ log, inventory, synced: () => node.synced, clock });
  /** Returns the log entries of a scan. */
  const scan = (): Record<string, unknown>[] => {
    launcherLog.scanned({ launchers: node.launchers.map((podUid) => ({ podUid, socket: `/pods/${podUid}` })) });
    return entries.splice(0);
  };
  return { clock, node, scan, contested };
}

test("waiting for the first list of VMIs is logged once, and so is its end", () => {
  const { node, scan } = bench();
  const messages = (): unknown[] => scan().map(({ level, msg }) => [level, msg]);
  node.synced = false;
  node.launchers = ["pod-a"];
  assert.deepEqual(messages(), [], "its VMI is known from one of the two lists");
  node.launchers = ["pod-a", "pod-b"];
  assert.deepEqual(messages(), [
    ["info", "the API server has not listed the VMIs yet: launchers are not collected until then"],
  ]);
  assert.deepEqual(messages(), []);
  node.synced = true;
  assert.deepEqual(messages(), [["info", "the API server has listed the VMIs: their launchers are collected"]]);
  assert.deepEqual(messages(), []);
});

test("pods of no VMI are logged once, after a minute, in one line every five minutes", async () => {
  const { clock, node, scan } = bench();
  node.launchers = ["pod-a", "pod-x", "pod-y", "ends"];
  assert.deepEqual(scan(), []);
  node.launchers = ["pod-a", "pod-x", "pod-y"];
  await clock.advance(59_999);
  assert.deepEqual(scan(), [], "a launcher that starts or ends has no VMI for a moment");
  await clock.advance(1);
  const msg = "pods with a libvirt socket that no VMI lists among its launchers: they are not collected";
  assert.deepEqual(scan(), [{ level: "info", pods: 2, example: "pod-x", msg }]);
  node.launchers = ["pod-a", "pod-x", "pod-y", "pod-z"];
  scan();
  await clock.advance(100_000);
  assert.deepEqual(scan(), [], "many of these pods do not fill the log");
  await clock.advance(200_000);
  assert.deepEqual(scan(), [{ level: "info", pods: 1, example: "pod-z", msg }]);
  await clock.advance(300_000);
  assert.deepEqual(scan(), []);
});

test("a pod that two VMIs list is logged every five minutes, and not as a pod of no VMI", async () => {
  const { clock, node, scan, contested } = bench();
  node.launchers = ["pod-z"];
  contested.set("pod-z", [vmi(), vmi({ name: "db" })]);
  const msg = "pods that several VMIs list among their launchers: they are not collected";
  const entry = { level: "warn", pods: 1, example: "pod-z", vms: ["shop/web", "shop/db"], msg };
  assert.deepEqual(scan(), [entry]);
  await clock.advance(100_000);
  assert.deepEqual(scan(), []);
  await clock.advance(200_000);
  assert.deepEqual(scan(), [entry]);
});
