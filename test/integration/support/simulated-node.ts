import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { SimulatedHost } from "../../../src/simulator/simulated-host.ts";
import { SimulatorServer } from "../../../src/simulator/server.ts";
import { SyntheticDomain } from "../../../src/simulator/synthetic-domain.ts";

const ALL_GROUPS = 0xffff_ffff;
const SHAPE = { nics: 2, disks: 2, seed: 7 };

/**
 * The kubelet's pods directory of a node, with a simulated libvirt daemon whose domains have virt-launcher's names and devices.
 * An agent without a cluster takes the names from these, so its lines have the same tags as in a cluster.
 */
export class SimulatedNode implements AsyncDisposable {
  readonly podsDir: string;
  readonly host = new SimulatedHost();
  #server: SimulatorServer | undefined;

  private constructor(podsDir: string) {
    this.podsDir = podsDir;
    this.host.adjustXml = (_, xml) =>
      xml
        .replace(/<target dev='(vd\w)'[^>]*\/>(?=<\/disk>)/g, "$&<alias name='ua-volume-$1'/>")
        .replace(/<target dev='(vnet\d+)'\/>/g, "$&<alias name='ua-network-$1'/>");
  }

  /** `domains`: `<namespace>_<name>` -> a seed. */
  static async start(domains: Readonly<Record<string, number>>): Promise<SimulatedNode> {
    // Short, because the path of a socket has at most 107 bytes.
    const podsDir = await mkdtemp(path.join(tmpdir(), "pods-"));
    const node = new SimulatedNode(podsDir);
    for (const [name, number] of Object.entries(domains))
      node.host.addDomain(new SyntheticDomain(number, SHAPE, { name, id: number }));
    const runtime = path.join(podsDir, "pod", "volumes/kubernetes.io~empty-dir/libvirt-runtime");
    await mkdir(runtime, { recursive: true });
    node.#server = await SimulatorServer.start(path.join(runtime, "virtqemud-sock"), node.host);
    return node;
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
    return Number(this.host.domains.get(domain)?.stats(ALL_GROUPS, seconds, true).get(param) ?? Number.NaN);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    await rm(this.podsDir, { recursive: true, force: true });
  }
}
