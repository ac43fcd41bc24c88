import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { KubeCluster } from "../kube.ts";
import { ClusterNetwork } from "./cluster-network.ts";
import { busyboxArchive } from "./image-archive.ts";
import { KubeNode } from "./kube-node.ts";
import { Remains } from "./remains.ts";

/** Names of the nodes that a cluster can have. */
export type NodeName = "node-a" | "node-b" | "node-c";
const NODES: readonly NodeName[] = ["node-a", "node-b", "node-c"];

/**
 * A real cluster on this machine: a control plane, and nodes whose kubelets run containers. Disposal removes everything; so does
 * the kernel, with `Remains`, when the test is killed.
 */
export class NodeCluster implements AsyncDisposable {
  readonly kube: KubeCluster;
  readonly network: ClusterNetwork;
  /** Removed at the end, also when the test is killed. */
  readonly directory: string;
  readonly #resources: AsyncDisposableStack;

  private constructor(kube: KubeCluster, network: ClusterNetwork, directory: string, resources: AsyncDisposableStack) {
    this.kube = kube;
    this.network = network;
    this.directory = directory;
    this.#resources = resources;
  }

  /** Starts the control plane; it has no nodes yet. */
  static async start(): Promise<NodeCluster> {
    await using resources = new AsyncDisposableStack();
    const network = resources.use(await ClusterNetwork.create());
    const directory = await mkdtemp(path.join(tmpdir(), `${network.name}-`));
    resources.use(new Remains(directory));
    const { serviceAddress, serviceRange } = network;
    const reachable = { serviceAddress, serviceRange, nodes: NODES, directory };
    const kube = resources.use(await KubeCluster.start({ controllers: true, network: reachable }));
    return new NodeCluster(kube, network, directory, resources.move());
  }

  /** Adds a node and waits until it is Ready. It has an image with a shell and the images of these archives. */
  async addNode(name: NodeName, images: readonly string[] = []): Promise<KubeNode> {
    const { kube: cluster, network } = this;
    const directory = path.join(this.directory, name);
    await mkdir(directory, { recursive: true });
    const node = new KubeNode({
      cluster,
      network,
      name,
      index: NODES.indexOf(name),
      directory,
      // No other cluster has a directory of this name, not even one that was killed a moment ago.
      cgroupRoot: `/${path.basename(this.directory)}-${name}`,
      images: [await busyboxArchive(this.directory), ...images],
    });
    this.#resources.use(node);
    await node.powerOn();
    return node;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}
