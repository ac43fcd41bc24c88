import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { SimulatedHost } from "../../../src/simulator/simulated-host.ts";
import { SimulatorServer } from "../../../src/simulator/server.ts";
import { SyntheticDomain, type DomainShape } from "../../../src/simulator/synthetic-domain.ts";

const ALL_GROUPS = 0xffff_ffff;
/** With a guest that reports each second, so that also short windows have the rates of its counters. */
const SHAPE: DomainShape = { nics: 2, disks: 2, seed: 7, guestPeriodS: 1 };

/**
 * The kubelet's pods directory of a node, with a simulated launcher for each domain. They have virt-launcher's names and devices.
 * An agent without a cluster takes the names from these, so its lines have the same tags as in a cluster.
 */
export class SimulatedNode implements AsyncDisposable {
  readonly podsDir: string;
  readonly #domains = new Map<string, SyntheticDomain>();
  readonly #launchers = new AsyncDisposableStack();

  private constructor(podsDir: string) {
    this.podsDir = podsDir;
  }

  /** `domains`: `<namespace>_<name>` -> a seed. The pod of a domain is `pod-` and its seed. */
  static async start(
    domains: Readonly<Record<string, number>>,
    { shape = SHAPE, cgroups = true }: { readonly shape?: DomainShape; readonly cgroups?: boolean } = {},
  ): Promise<SimulatedNode> {
    // Short, because the path of a socket has at most 107 bytes.
    const podsDir = await mkdtemp(path.join(tmpdir(), "pods-"));
    const node = new SimulatedNode(podsDir);
    for (const [name, number] of Object.entries(domains))
      await node.#startLauncher(new SyntheticDomain(number, shape, { name, id: number }), cgroups);
    return node;
  }

  /** The names of the domains. */
  get vms(): readonly string[] {
    return [...this.#domains.keys()];
  }

  /** Returns the growth of a domain's counters per second, summed up. */
  rate(domain: string, ...counters: readonly string[]): number {
    const [early, late] = [3_600, 13_600].map((seconds) =>
      counters.reduce((sum, counter) => sum + this.value(domain, counter, seconds), 0),
    );
    return ((late ?? Number.NaN) - (early ?? Number.NaN)) / 10_000;
  }

  vcpus(domain: string): number {
    return this.value(domain, "vcpu.current");
  }

  /** Returns one of libvirt's statistics of a domain after a running time. */
  value(domain: string, param: string, seconds = 0): number {
    return Number(this.#domains.get(domain)?.stats(ALL_GROUPS, seconds, true).get(param) ?? Number.NaN);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#launchers.disposeAsync();
    await rm(this.podsDir, { recursive: true, force: true });
  }

  async #startLauncher(domain: SyntheticDomain, cgroups: boolean): Promise<void> {
    const host = new SimulatedHost();
    host.cgroups = cgroups;
    this.#launchers.use(await startLauncher(this.podsDir, domain, host));
    this.#domains.set(domain.ref.name, domain);
  }
}

/** Adds a domain to a host, and starts the host as the domain's launcher, in the pod `pod-` and its id. */
export async function startLauncher(
  podsDir: string,
  domain: SyntheticDomain,
  host: SimulatedHost,
): Promise<SimulatorServer> {
  host.addDomain(domain);
  host.adjustXml = (_, xml) =>
    xml
      .replace(/<target dev='(vd\w)'[^>]*\/>(?=<\/disk>)/g, "$&<alias name='ua-volume-$1'/>")
      .replace(/<target dev='(vnet\d+)'\/>/g, "$&<alias name='ua-network-$1'/>");
  const pod = `pod-${domain.ref.id}`;
  const runtime = path.join(podsDir, pod, "volumes/kubernetes.io~empty-dir/libvirt-runtime");
  await mkdir(runtime, { recursive: true });
  return SimulatorServer.start(path.join(runtime, "virtqemud-sock"), host);
}
