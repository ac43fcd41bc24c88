import assert from "node:assert/strict";
import { RunningAgent, type AgentRun } from "./agent.ts";
import type { Shown } from "./grafana.ts";
import { LAB, labLines } from "./lab-lines.ts";
import { SimulatedNode } from "./simulated-node.ts";

const CYCLES = 10;
/** Enough time for a cycle on a busy machine: a late one would be incomplete. */
const INTERVAL_S = 2;

/** The families of the panels, each in every cycle. */
const FAMILIES = `    families: [Metrics, Features, Devices, Totals, Disks, Memory, Status, Vcpus, Node]
    schedules: []`;

/** Prefix of the lab's lines in the form of a host without KubeVirt. */
export const PLAIN_PREFIX = "plain_";

/** The data for the dashboards. */
export interface DashboardData {
  /** The agents that wrote from `shown.fromMs` on. */
  readonly nodes: readonly [SimulatedNode, SimulatedNode];
  readonly shown: Shown;
  readonly labShown: Shown;
}

/** Returns lines that simulated VMs do not have: the start of a VM is not known to their agents, and nothing happens to them. */
function rareLines(timeMs: number): string {
  const event = (name: string, node: string, event: string, fields: string, ms = timeMs): string =>
    `vm_events,VMID=1,name=${name},uuid=u,event=${event},namespace=shop,node=${node} ${fields},count=1i ${ms}000000\n`;
  return [
    `vm_status,VMID=1,name=web.1,uuid=u,namespace=shop,node=node-1 reason="booted",uptime_s=60i ${timeMs}000000\n`,
    event("web.1", "node-1", "io-error", 'detail="paused-enospc",device="vda"'),
    event("web.1", "node-1", "migration", 'detail="succeeded"'),
    event("cache", "node-2", "lifecycle", 'detail="stopped-crashed"', timeMs - 1),
  ].join("");
}

/** Runs the agents of two nodes with these targets; `write` gets the earlier lines of the lab. */
export async function writeForDashboards(
  run: Pick<AgentRun, "targets" | "secrets">,
  write: (lines: string) => Promise<void>,
): Promise<DashboardData> {
  await using first = await SimulatedNode.start({ "shop_web.1": 1, shop_db: 2, lab_batch: 3 });
  await using second = await SimulatedNode.start({ shop_cache: 4 });
  const nodes = [first, second] as const;
  const labS = Math.floor(Date.now() / 1000 / LAB.bucketS) * LAB.bucketS - 2 * LAB.seconds;
  const lab = labLines(labS);
  await write(lab + lab.replaceAll(LAB.prefix, PLAIN_PREFIX).replaceAll("namespace=lab,", ""));
  const fromMs = Date.now() - 1_000;
  await Promise.all(
    nodes.map(async ({ podsDir }, index) => {
      await using agent = await RunningAgent.start({
        ...run,
        interval: `${INTERVAL_S}s`,
        spec: FAMILIES,
        sockets: [],
        args: ["--pods-dir", podsDir, "--node-name", `node-${index + 1}`, "--cycles", String(CYCLES)],
      });
      assert.equal(await agent.exit(), 0, JSON.stringify(agent.log, null, 1));
    }),
  );
  const toMs = Date.now();
  // Flux leaves out the end of the time shown.
  await write(rareLines(toMs - 1));
  return {
    nodes,
    shown: { fromMs, toMs, intervalS: 2 * INTERVAL_S },
    labShown: { fromMs: labS * 1000, toMs: (labS + LAB.seconds) * 1000 - 1, intervalS: LAB.bucketS },
  };
}
