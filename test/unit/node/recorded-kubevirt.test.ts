import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { parseLines } from "../../../scripts/demo/line-protocol-parser.ts";
import { LibvirtSource } from "../../../src/collection/libvirt/libvirt-source.ts";
import type { DomainSample } from "../../../src/collection/domain-sample.ts";
import { LatestSamples } from "../../../src/collection/latest-samples.ts";
import { VmiInventory } from "../../../src/discovery/inventory.ts";
import { LauncherSockets } from "../../../src/discovery/launcher-sockets.ts";
import { projectVmi, type Vmi } from "../../../src/discovery/vmi.ts";
import type { Family } from "../../../src/contract.ts";
import { needsOf } from "../../../src/measurement/registry.ts";
import { ALL_VMS, namingRules, vmiEndpoints } from "../../../src/node/endpoints.ts";
import { vmMetricsText } from "../../../src/observability/vm-metrics-text.ts";
import { atEnd } from "../../support/at-end.ts";
import { exposedLine, exposedValues, type ExposedValue } from "../../support/exposition.ts";
import { docTables } from "../../support/docs.ts";
import { ALL, encode } from "../../support/encode.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { domainOf, recorded, startRecordedLauncher, type RecordedDomain } from "../../support/recorded-launcher.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { vmi } from "../../support/vmis.ts";

const NODE = "node1";
const FAMILIES = [...ALL.families, "Disks", "Memory"] as const;
const WEB_POD = "2f3cb772-045b-4272-9e1a-bec3dfde68cf";

/** Returns a VMI that lists the pod of the domain. */
function vmiOf({ name, podUid }: RecordedDomain): Vmi {
  const [namespace = "", vm = ""] = name.split("_");
  return vmi({ namespace, name: vm, uid: `uid-of-${vm}`, nodeName: NODE, pods: [podUid] });
}

/** Runs two cycles over the launchers of a node: discovery, inventory and mapping. Returns the samples of the second. */
async function collect(
  t: TestContext,
  domains: readonly RecordedDomain[],
  vmis: readonly Vmi[],
  families: readonly Family[] = FAMILIES,
): Promise<DomainSample[]> {
  const clock = new FakeClock();
  const [podsDir, linksDir] = [await temporaryDirectory(t), await temporaryDirectory(t)];
  for (const domain of domains) await startRecordedLauncher(t, domain, { podsDir, linksDir });
  const launchers = new LauncherSockets(podsDir, clock);
  await launchers.scan();
  const rules = namingRules({ ...ALL_VMS, vmLabels: [{ key: "app", tag: "app" }] }, NODE);
  const inventory = new VmiInventory([new Map(vmis.map((one) => [one.uid, one]))], rules);
  const settings = { timeoutMs: 4_000, deviceCacheTtlMs: 300_000, needs: needsOf(families) };
  const sources = vmiEndpoints(launchers, inventory).map((one) => new LibvirtSource(one, settings, clock));
  atEnd(t, () => {
    for (const source of sources) source.close();
  });
  const cycle = async (): Promise<DomainSample[]> => {
    const cycles = await Promise.all(sources.map((source) => source.collect()));
    for (const { outcome, errors, tolerated } of cycles)
      assert.deepEqual({ outcome, errors, tolerated }, { outcome: "collected", errors: [], tolerated: [] });
    return cycles.flatMap(({ samples }) => samples);
  };
  await cycle();
  await clock.advance(5_000);
  const samples = await cycle();
  return samples.sort((one, other) => (one.identity.name < other.identity.name ? -1 : 1));
}

test("the domains of real launchers become the recorded lines", async (t) => {
  const web = projectVmi(JSON.parse(recorded("web.vmi.json")), NODE);
  assert.ok(web !== undefined);
  const others = ["cd", "db.main", "kvmguest"].map((name, index) =>
    domainOf(name, `00000000-0000-0000-0000-00000000000${index}`, `${name}.domstats.txt`, xmlOf(name)),
  );
  const samples = await collect(t, [domainOf("web", WEB_POD), ...others], [web, ...others.map(vmiOf)]);
  const { text, missing } = encode(samples, { node: NODE });
  assert.equal(text, readFileSync("test/golden/lines/kubevirt-1.9.lp", "utf8"));
  // The guests of two VMs have no balloon driver.
  assert.deepEqual([...new Set(missing)].sort(), [
    "vm_totals.memavailable",
    "vm_totals.memdisk_cache",
    "vm_totals.memmajor_fault",
    "vm_totals.memminor_fault",
    "vm_totals.memswap_in",
    "vm_totals.memswap_out",
    "vm_totals.memusable",
  ]);
});

/** The XML of a domain that does not run is never read. */
function xmlOf(name: string): string {
  return name === "kvmguest" ? "cd.xml" : `${name}.xml`;
}

test("the lines have the numbers of KubeVirt's own metrics", async (t) => {
  const domain = { ...domainOf("web", WEB_POD, "web.metrics.domstats.txt"), name: "test_web" };
  const samples = await collect(t, [domain], [vmiOf(domain)]);
  const lines = parseLines(encode(samples, { families: FAMILIES }).text);
  const metrics = new Map(
    [...recorded("web.metrics.txt").matchAll(/^kubevirt_(\w+)\{(.*)\} (\S+)$/gm)].map(([, name, labels, value]) => [
      [name, /(?:drive|interface)="([^"]*)"/.exec(labels ?? "")?.[1] ?? ""].join(" "),
      Number(value),
    ]),
  );
  const table = docTables("docs/migrating.md").find(({ columns }) => columns[0] === "`kubevirt_...`");
  let compared = 0;
  for (const [theirs = "", here = "", factor = ""] of table?.rows ?? []) {
    // Some rows have a remark instead.
    if (factor === "" || Number.isNaN(Number(factor))) continue;
    const [measurement, field = ""] = here.replaceAll("`", "").split(".");
    for (const line of lines) {
      const value = line.measurement === measurement ? line.fields.get(field) : undefined;
      if (value === undefined) continue;
      const tags = new Map(line.tags);
      const key = [theirs.replaceAll("`", ""), tags.get("network") ?? tags.get("volume") ?? ""].join(" ");
      const metric = metrics.get(key);
      assert.ok(metric !== undefined, key);
      const ours = Number(value) * Number(factor);
      assert.ok(Math.abs(ours - metric) <= 1e-9 * Math.abs(metric), `${key}: ${ours}, not ${metric}`);
      compared++;
    }
  }
  // 14 of the VM, 8 of its interface, and 7 of each of its two disks: the recorded statistics have no times of flushes.
  assert.equal(compared, 14 + 8 + 2 * 7);
});

test("Prometheus gets the lines of KubeVirt's own metrics, with its names and labels", async (t) => {
  const domain = { ...domainOf("web", WEB_POD, "web.metrics.domstats.txt"), name: "test_web" };
  const samples = await collect(t, [domain], [vmiOf(domain)], [...FAMILIES, "Vcpus"]);
  const latest = new LatestSamples();
  const rest = { errors: [], tolerated: [], stuck: [], busy: [], slow: [] };
  latest.record({ endpoint: "/sock", outcome: "collected", samples, ...rest }, undefined);
  // The recorded statistics have no times of flushes. The number of host CPUs is not collected.
  const lacks = /_flush_times_seconds_total|_node_cpu_affinity/;
  const theirs = recorded("web.metrics.txt")
    .trimEnd()
    .split("\n")
    .filter((line) => !lacks.test(line))
    .map(exposedLine);
  const ours = exposedValues([...vmMetricsText(latest.vms, NODE)].join(""));
  assert.deepEqual(inOrder(ours), inOrder(theirs));
});

function inOrder(values: readonly ExposedValue[]): readonly string[] {
  return values.map(({ name, labels, value }) => JSON.stringify([name, Object.entries(labels).sort(), value])).sort();
}

interface Version {
  readonly metadata: { readonly resourceVersion: string; readonly labels: Readonly<Record<string, string>> };
  readonly spec: { readonly domain: { readonly firmware: { readonly uuid: string } } };
  readonly status: {
    readonly activePods: Readonly<Record<string, string>>;
    readonly nodeName: string;
    readonly migrationState?: { readonly startTimestamp?: string; readonly endTimestamp?: string };
  };
}

type States = ReadonlyMap<string | undefined, readonly [state: number, reason: number]>;

const NODES = ["node1", "node2"];
const [RUNNING, PAUSED] = [1, 3];
const [BY_BOOT, BY_MIGRATION] = [1, 2];

/** What a node's agent knows of each version: the VMI is in its watch if a label names the node. */
class WatchingNode {
  readonly name: string;
  readonly #vmis = new Map<string, Vmi>();
  readonly #inventory: VmiInventory;
  /** The launchers with a socket on this node. Former ones may keep theirs. */
  readonly #launchers = new Set<string>();

  constructor(name: string) {
    this.name = name;
    this.#inventory = new VmiInventory([this.#vmis], namingRules(ALL_VMS, name));
  }

  /** Takes over a version. A launcher has a socket as soon as its pod is listed on this node. */
  see(version: Version): void {
    const { labels } = version.metadata;
    const vmi = projectVmi(version, this.name);
    assert.ok(vmi !== undefined);
    if ([labels["kubevirt.io/nodeName"], labels["kubevirt.io/migrationTargetNodeName"]].includes(this.name))
      this.#vmis.set(vmi.uid, vmi);
    else this.#vmis.delete(vmi.uid);
    this.#inventory.invalidate();
    for (const [podUid, node] of Object.entries(version.status.activePods))
      if (node === this.name) this.#launchers.add(podUid);
  }

  /** Returns the launchers that are collected. `states` are the state of the domain in each launcher; others have none. */
  collects(uuid: string, states: States): string[] {
    const launchers = [...this.#launchers].map((podUid) => ({ podUid, socket: `/pods/${podUid}` }));
    return vmiEndpoints({ launchers, unusable: [] }, this.#inventory).flatMap(({ socket, identify }) => {
      const state = states.get(path.basename(socket));
      const domain = { name: "test_web", uuid, id: 1 };
      return state !== undefined && identify?.(domain, ...state) !== undefined ? [socket] : [];
    });
  }
}

test("at each step of two recorded migrations exactly one node collects the VM", () => {
  const versions = JSON.parse(recorded("migrations.json")) as Version[];
  const nodes = NODES.map((name) => new WatchingNode(name));
  let moving = 0;
  for (const version of versions) {
    for (const node of nodes) node.see(version);
    const { activePods, nodeName, migrationState: { startTimestamp, endTimestamp } = {} } = version.status;
    // Between these times the guest may be on either node. KubeVirt writes the end together with the new node.
    const isMoving = startTimestamp !== undefined && endTimestamp === undefined;
    if (isMoving) moving++;
    for (const running of isMoving ? NODES : [nodeName]) {
      const lastPod = (isThere: (node: string) => boolean): string | undefined =>
        Object.keys(activePods).findLast((podUid) => isThere(activePods[podUid] ?? ""));
      const [here, there] = [lastPod((node) => node === running), lastPod((node) => node !== running)];
      const states = new Map([[here, [RUNNING, BY_BOOT]] as const]);
      for (const paused of [undefined, there]) {
        if (paused !== undefined) states.set(paused, [PAUSED, BY_MIGRATION]);
        const collected = nodes.flatMap((node) => node.collects(version.spec.domain.firmware.uuid, states));
        const step = `version ${version.metadata.resourceVersion}, the guest is on ${running}`;
        assert.deepEqual(collected, [`/pods/${here}`], step);
      }
    }
  }
  assert.deepEqual([versions.length, moving], [30, 6]);
});
