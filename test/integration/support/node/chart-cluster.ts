import { readFileSync } from "node:fs";
import path from "node:path";
import { DocShell } from "../doc-shell.ts";
import { Image } from "../image.ts";
import type { KubeCluster } from "../kube.ts";
import type { RecordingSink } from "../recording-sink.ts";
import { applyConfig, target } from "../telemetry-config.ts";
import { VMI_CRD } from "../vmi-crd.ts";
import type { KubeNode } from "./kube-node.ts";
import { NodeCluster, type NodeName } from "./node-cluster.ts";
import { readyPod, type RunningPod } from "./pods.ts";

export const NAMESPACE = "kubevirt-telemetry";
export const AGENT = "app.kubernetes.io/component=agent";
export const CONTROLLER = "app.kubernetes.io/component=controller";
export const INSTALL = "docs/install.md";
/** The chart's default, so that the commands of the page need no values. */
const REPOSITORY = "ghcr.io/kubevirt-telemetry/kubevirt-telemetry";
const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };

/** A cluster with one real node that has the image of our Dockerfile, for the chart. */
export class ChartCluster implements AsyncDisposable {
  readonly kube: KubeCluster;
  readonly node: KubeNode;
  readonly shell: DocShell;
  /** An address of this machine that pods reach. */
  readonly hostAddress: string;
  readonly #cluster: NodeCluster;
  readonly #archive: string;
  readonly #resources: AsyncDisposableStack;

  private constructor(
    cluster: NodeCluster,
    archive: string,
    node: KubeNode,
    shell: DocShell,
    resources: AsyncDisposableStack,
  ) {
    this.kube = cluster.kube;
    this.hostAddress = cluster.network.hostAddress;
    this.node = node;
    this.shell = shell;
    this.#cluster = cluster;
    this.#archive = archive;
    this.#resources = resources;
  }

  static async start(): Promise<ChartCluster> {
    await using resources = new AsyncDisposableStack();
    const cluster = resources.use(await NodeCluster.start());
    const archive = await imageArchive(cluster.directory);
    const node = await cluster.addNode("node-a", [archive]);
    const shell = resources.use(await DocShell.on(cluster.kube));
    await cluster.kube.apply(VMI_CRD);
    return new ChartCluster(cluster, archive, node, shell, resources.move());
  }

  /** Adds another node with the image. Its disposal removes it from the cluster. */
  addNode(name: NodeName): Promise<KubeNode> {
    return this.#cluster.addNode(name, [this.#archive]);
  }

  /** Installs the chart as docs/install.md says. Resolves to the notes when the agent and the controller are Ready. */
  async install(): Promise<string> {
    await this.shell.follow(INSTALL, "1. Create the namespace");
    await this.shell.follow(INSTALL, "2. Store the target's token");
    const notes = await this.shell.follow(INSTALL, "3. Install the chart");
    for (const component of [AGENT, CONTROLLER]) await this.ready(component);
    return notes;
  }

  /** Resolves to the only pod of a component when it is Ready and, with `not`, another one than that. */
  ready(component: string, options: { readonly not?: string } = {}): Promise<RunningPod> {
    return readyPod(this.kube, NAMESPACE, component, options);
  }

  /** Waits until no pod of an older version of the chart's objects runs. */
  async rolledOut(): Promise<void> {
    for (const name of ["daemonset/kubevirt-telemetry-agent", "deployment/kubevirt-telemetry-controller"])
      await this.kube.kubectl("rollout", "status", name, "--namespace", NAMESPACE, "--timeout=120s");
  }

  /** Creates or changes the TelemetryConfig `default`: this target, and `spec` for the rest. */
  async configure(sink: RecordingSink, intervalMs: number, spec: object = {}): Promise<void> {
    const collection = { interval: `${intervalMs}ms` };
    await applyConfig(this.kube, "default", { collection, targets: [target(sink)], ...spec });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}

/** Builds the image of the Dockerfile; resolves to an archive of it. Its base is a stand-in: see `Image`. */
async function imageArchive(directory: string): Promise<string> {
  const archive = path.join(directory, "image.tar");
  await using image = await Image.build(version, directory);
  await image.writeArchive(archive, `${REPOSITORY}:${version}`);
  return archive;
}
