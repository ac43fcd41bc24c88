import { chown, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { AgentPod, type AgentPodOptions } from "./agent-pod.ts";
import type { KubeCluster } from "./kube.ts";
import { Launcher, LAUNCHER_UID, type LauncherGuest, type LauncherOptions } from "./launcher.ts";
import { run } from "./process.ts";
import { applyVmi, type Vmi } from "./vmi.ts";

export interface EmulatedVm extends LauncherGuest, Pick<Vmi, "labels" | "annotations"> {}

/** A node of the cluster: a Node object, the kubelet's pods directory, launchers and an agent. */
export class EmulatedNode implements AsyncDisposable {
  readonly name: string;
  readonly podsDir: string;
  readonly #cluster: KubeCluster;
  readonly #dir: string;
  readonly #cacheDir: string;
  readonly #stack = new AsyncDisposableStack();

  private constructor(cluster: KubeCluster, name: string, dir: string) {
    this.#cluster = cluster;
    this.name = name;
    this.#dir = dir;
    this.podsDir = path.join(dir, "pods");
    this.#cacheDir = path.join(dir, "cache");
  }

  static async create(cluster: KubeCluster, name: string, labels: Vmi["labels"] = {}): Promise<EmulatedNode> {
    await cluster.call("POST", "/api/v1/nodes", {
      body: { apiVersion: "v1", kind: "Node", metadata: { name, labels } },
    });
    // The kubelet's directories are root's, and its group's to read.
    const dir = await mkdtemp(path.join(tmpdir(), "kubelet-"));
    const node = new EmulatedNode(cluster, name, dir);
    for (const directory of [dir, node.podsDir]) await mkdir(directory, { recursive: true, mode: 0o750 });
    await run("chmod", "750", dir);
    await mkdir(node.#cacheDir);
    await chown(node.#cacheDir, LAUNCHER_UID, 0);
    return node;
  }

  /** A virt-launcher pod without a guest. */
  async startLauncher(options: Pick<LauncherOptions, "socketName"> = {}): Promise<Launcher> {
    const where = { podsDir: this.podsDir, cacheDir: this.#cacheDir };
    return this.#stack.use(await Launcher.start({ ...where, ...options }));
  }

  /** As KubeVirt does it: the VMI is on the node, then its guest starts. */
  async startVm(vm: EmulatedVm, options: Pick<LauncherOptions, "socketName"> = {}): Promise<Launcher> {
    const launcher = await this.startLauncher(options);
    await applyVmi(this.#cluster, { ...vm, node: this.name, pods: { [launcher.podUid]: this.name } });
    await launcher.createGuest(vm);
    return launcher;
  }

  async startAgent(options: Pick<AgentPodOptions, "identity"> = {}): Promise<AgentPod> {
    const { name: node, podsDir } = this;
    return this.#stack.use(await AgentPod.start({ cluster: this.#cluster, node, podsDir, ...options }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
    await rm(this.#dir, { recursive: true, force: true, maxRetries: 5 });
  }
}
