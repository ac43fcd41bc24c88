import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { AgentPod, type AgentPodOptions } from "./agent-pod.ts";
import type { KubeCluster } from "./kube.ts";
import { Launcher, type LauncherGuest, type LauncherOptions } from "./launcher.ts";
import { applyVmi, type Vmi } from "./vmi.ts";

export interface EmulatedVm extends LauncherGuest, Pick<Vmi, "labels" | "annotations"> {}

/** A node of the cluster: a Node object, the kubelet's pods directory, launchers and an agent. */
export class EmulatedNode implements AsyncDisposable {
  readonly name: string;
  readonly podsDir: string;
  readonly #cluster: KubeCluster;
  readonly #dir: string;
  readonly #stack = new AsyncDisposableStack();

  private constructor(cluster: KubeCluster, name: string, dir: string) {
    this.#cluster = cluster;
    this.name = name;
    this.#dir = dir;
    this.podsDir = path.join(dir, "pods");
  }

  static async create(cluster: KubeCluster, name: string, labels: Vmi["labels"] = {}): Promise<EmulatedNode> {
    await cluster.call("POST", "/api/v1/nodes", {
      body: { apiVersion: "v1", kind: "Node", metadata: { name, labels } },
    });
    // The kubelet's directories belong to root and are readable for its group.
    const dir = await mkdtemp(path.join(tmpdir(), "kubelet-"));
    const node = new EmulatedNode(cluster, name, dir);
    await chmod(dir, 0o750);
    await mkdir(node.podsDir, { mode: 0o750 });
    return node;
  }

  /** A virt-launcher pod without a guest. */
  async startLauncher(options: Pick<LauncherOptions, "socketName"> = {}): Promise<Launcher> {
    return this.#stack.use(await Launcher.start({ podsDir: this.podsDir, ...options }));
  }

  /** Starts a VM as KubeVirt does: first the VMI is on the node, then its guest starts. */
  async startVm(vm: EmulatedVm, options: Pick<LauncherOptions, "socketName"> = {}): Promise<Launcher> {
    const launcher = await this.startLauncher(options);
    await applyVmi(this.#cluster, { ...vm, node: this.name, pods: { [launcher.podUid]: this.name } });
    await launcher.createGuest(vm);
    return launcher;
  }

  async startAgent(options: Pick<AgentPodOptions, "identity" | "env"> = {}): Promise<AgentPod> {
    const { name: node, podsDir } = this;
    return this.#stack.use(await AgentPod.start({ cluster: this.#cluster, node, podsDir, ...options }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
    await rm(this.#dir, { recursive: true, force: true, maxRetries: 5 });
  }
}
