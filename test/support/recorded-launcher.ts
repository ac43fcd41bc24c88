import { readFileSync } from "node:fs";
import { mkdir, symlink } from "node:fs/promises";
import path from "node:path";
import type { TestContext } from "node:test";
import { STATS_GROUP } from "../../src/libvirt/protocol.ts";
import { SimulatorServer } from "../../src/simulator/server.ts";
import { SimulatedHost } from "../../src/simulator/simulated-host.ts";
import { SyntheticDomain } from "../../src/simulator/synthetic-domain.ts";
import { atEnd } from "./at-end.ts";

/** The volumes of a launcher, in which `libvirt-runtime` has the sockets of its daemons. */
const VOLUMES = [
  "container-disks",
  "ephemeral-disks",
  "hotplug-disks",
  "libvirt-runtime",
  "private",
  "public",
  "sockets",
];

const GROUPS: readonly (readonly [prefix: string, group: number])[] = [
  ["state.", STATS_GROUP.STATE],
  ["cpu.", STATS_GROUP.CPU_TOTAL],
  ["balloon.", STATS_GROUP.BALLOON],
  ["vcpu.", STATS_GROUP.VCPU],
  ["net.", STATS_GROUP.INTERFACE],
  ["block.", STATS_GROUP.BLOCK],
];

/** Returns the text of a file recorded on KubeVirt 1.9. */
export function recorded(file: string): string {
  return readFileSync(new URL(`../fixtures/kubevirt-1.9/${file}`, import.meta.url), "utf8");
}

/** Returns the statistics in the output of `virsh domstats`. */
function domstats(text: string): ReadonlyMap<string, bigint | string> {
  const fields = [...text.matchAll(/^ +([^=\s]+)=(.*)$/gm)];
  return new Map(
    fields.map(([, field = "", value = ""]) => [field, /^-?\d+$/.test(value) ? BigInt(value) : value] as const),
  );
}

export interface RecordedDomain {
  /** The domain, such as `prod_web`. */
  readonly name: string;
  readonly podUid: string;
  readonly stats: ReadonlyMap<string, bigint | string>;
  readonly xml: string;
}

/** Returns the recorded domain of a VM in the namespace `prod`. */
export function domainOf(
  name: string,
  podUid: string,
  stats = `${name}.domstats.txt`,
  xml = `${name}.xml`,
): RecordedDomain {
  return { name: `prod_${name}`, podUid, stats: domstats(recorded(stats)), xml: recorded(xml) };
}

/** Starts a launcher with a recorded domain below the pods directory. `linksDir` is for the server, whose path must be short. */
export async function startRecordedLauncher(
  t: TestContext,
  { name, podUid, stats, xml }: RecordedDomain,
  { podsDir, linksDir }: { readonly podsDir: string; readonly linksDir: string },
): Promise<void> {
  const volumes = path.join(podsDir, podUid, "volumes/kubernetes.io~empty-dir");
  for (const volume of VOLUMES) await mkdir(path.join(volumes, volume), { recursive: true });
  const link = path.join(linksDir, podUid);
  await symlink(path.join(volumes, "libvirt-runtime"), link);
  const server = await SimulatorServer.start(path.join(link, "virtqemud-sock"), recordedHost(name, stats, xml));
  atEnd(t, () => server[Symbol.asyncDispose]());
}

function recordedHost(name: string, stats: ReadonlyMap<string, bigint | string>, xml: string): SimulatedHost {
  const value = (field: string): bigint => BigInt(stats.get(field) ?? 0n);
  const uuid = /<uuid>(.*)<\/uuid>/.exec(xml)?.[1] ?? "00000000-0000-0000-0000-000000000000";
  const domain = new SyntheticDomain(1, { nics: 0, disks: 0, seed: 1 }, { name, uuid });
  domain.info = () => ({
    state: Number(value("state.state")),
    maxMemoryKiB: value("balloon.maximum"),
    memoryKiB: value("balloon.current"),
    vcpus: Number(value("vcpu.current")),
    cpuTimeNs: value("cpu.time"),
  });
  domain.vcpus = () =>
    Array.from({ length: Number(value("vcpu.current")) }, (_, number) => ({
      number,
      state: Number(value(`vcpu.${number}.state`)),
      cpuTimeNs: value(`vcpu.${number}.time`),
      cpu: 0,
    }));
  domain.xml = () => xml;
  domain.stats = (groups) =>
    new Map([...stats].filter(([field]) => GROUPS.some(([start, group]) => groups & group && field.startsWith(start))));
  const host = new SimulatedHost();
  host.addDomain(domain);
  // The daemon of a launcher runs as a user, and reads no cgroups.
  host.cgroups = false;
  const SHUT_OFF = 5n;
  if (value("state.state") === SHUT_OFF) host.inactive.add(name);
  return host;
}
