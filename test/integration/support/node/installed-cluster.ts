import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { DocShell } from "../doc-shell.ts";
import { Image } from "../image.ts";
import type { KubeCluster } from "../kube.ts";
import { RecordingSink } from "../recording-sink.ts";
import { applyConfig, target } from "../telemetry-config.ts";
import { VMI_CRD } from "../vmi-crd.ts";
import type { KubeNode } from "./kube-node.ts";
import { NodeCluster } from "./node-cluster.ts";
import { readyPod, type RunningPod } from "./pods.ts";

export const NAMESPACE = "kubevirt-telemetry";
export const AGENT = "app.kubernetes.io/component=agent";
export const CONTROLLER = "app.kubernetes.io/component=controller";
const PAGE = "docs/install.md";
/** The chart's default, so that the commands of the page need no values. */
const REPOSITORY = "ghcr.io/kubevirt-telemetry/kubevirt-telemetry";
const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };

/** A cluster with one real node, on which the chart is installed as docs/install.md says, with the image of our Dockerfile. */
export class InstalledCluster implements AsyncDisposable {
  readonly kube: KubeCluster;
  readonly node: KubeNode;
  readonly shell: DocShell;
  /** A target that pods reach. */
  readonly sink: RecordingSink;
  /** What `helm install` printed. */
  readonly notes: string;
  readonly #resources: AsyncDisposableStack;

  private constructor(
    { kube }: NodeCluster,
    node: KubeNode,
    shell: DocShell,
    sink: RecordingSink,
    installed: { readonly notes: string; readonly resources: AsyncDisposableStack },
  ) {
    this.kube = kube;
    this.node = node;
    this.shell = shell;
    this.sink = sink;
    this.notes = installed.notes;
    this.#resources = installed.resources;
  }

  /** Resolves when the agent and the controller are Ready. There is no TelemetryConfig. */
  static async start(): Promise<InstalledCluster> {
    await using resources = new AsyncDisposableStack();
    const cluster = resources.use(await NodeCluster.start());
    const archive = await imageArchive(resources);
    const node = await cluster.addNode("node-a", [archive]);
    const sink = resources.use(await RecordingSink.start(cluster.network.hostAddress));
    const shell = resources.use(await DocShell.on(cluster.kube));
    await cluster.kube.apply(VMI_CRD);
    await shell.follow(PAGE, "1. Create the namespace");
    await shell.follow(PAGE, "2. Store the target's token");
    const notes = await shell.follow(PAGE, "3. Install the chart");
    const installed = new InstalledCluster(cluster, node, shell, sink, { notes, resources: resources.move() });
    for (const component of [AGENT, CONTROLLER]) await installed.ready(component);
    return installed;
  }

  /** Resolves to the only pod of a component when it is Ready and, with `not`, another one than that. */
  ready(component: string, options: { readonly not?: string } = {}): Promise<RunningPod> {
    return readyPod(this.kube, NAMESPACE, component, options);
  }

  /** Creates the TelemetryConfig `default` with the sink as its target. */
  async configure(interval = "5s"): Promise<void> {
    await applyConfig(this.kube, "default", { collection: { interval }, targets: [target(this.sink)] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}

/** Builds the image of the Dockerfile; resolves to an archive of it. Its base is a stand-in: see `Image`. */
async function imageArchive(resources: AsyncDisposableStack): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "archive-"));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  const archive = path.join(directory, "image.tar");
  await using image = await Image.build(version);
  await image.writeArchive(archive, `${REPOSITORY}:${version}`);
  return archive;
}
