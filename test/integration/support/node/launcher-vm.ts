import { randomUUID } from "node:crypto";
import { domainNameOf } from "../../../../src/discovery/domain-name.ts";
import type { KubeCluster } from "../kube.ts";
import type { KubeNode } from "./kube-node.ts";
import { launcherDomainXml } from "./launcher-domain.ts";
import { LauncherPod } from "./launcher-pod.ts";

export interface VmOptions {
  readonly namespace: string;
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Of the firmware, and so of the domain. A VM that restarts keeps it. */
  readonly uuid?: string;
}

/** What KubeVirt writes to a VMI. */
export interface VmiVersion {
  /** Besides the labels of the VM. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly status: Readonly<Record<string, unknown>>;
}

/** Enough for the kernel of the guest. */
const MEMORY_MIB = 96;
const SPEC = {
  domain: { devices: { disks: [{ name: "rootdisk" }, { name: "cloudinitdisk" }], interfaces: [{ name: "default" }] } },
  networks: [{ name: "default", pod: {} }],
  volumes: [
    { name: "rootdisk", emptyDisk: { capacity: "64Mi" } },
    { name: "cloudinitdisk", cloudInitNoCloud: { userData: "#cloud-config\n" } },
  ],
};

/**
 * A VM that runs in a launcher pod. KubeVirt's part is played here: the VMI and the pods are created, changed and deleted as
 * virt-controller and virt-handler do, in their order.
 */
export class LauncherVm {
  readonly uuid: string;
  readonly #cluster: KubeCluster;
  readonly #options: VmOptions;
  #launcher: LauncherPod | undefined;
  #uid = "";
  #runsSinceMs = 0;

  private constructor(cluster: KubeCluster, options: VmOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.uuid = options.uuid ?? randomUUID();
  }

  /** Starts a VM on a node; resolves when its VMI is Running. */
  static async start(cluster: KubeCluster, node: KubeNode, options: VmOptions): Promise<LauncherVm> {
    const { namespace } = options;
    const body = { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } };
    // It may exist.
    await cluster.request("POST", "/api/v1/namespaces", { body });
    const vm = new LauncherVm(cluster, options);
    await vm.write({ status: { phase: "Pending" } });
    const launcher = await vm.addLauncher(node);
    await vm.write({ status: { phase: "Scheduling", activePods: { [launcher.uid]: "" } } });
    await launcher.ready();
    const labels = { "kubevirt.io/nodeName": node.name };
    const status = { nodeName: node.name, activePods: { [launcher.uid]: node.name } };
    await vm.write({ labels, status: { ...status, phase: "Scheduled" } });
    await launcher.startDomain(launcherDomainXml({ ...options, uuid: vm.uuid, memoryMiB: MEMORY_MIB }));
    vm.#runsSinceMs = Date.now();
    await vm.write({ labels, status: { ...status, phase: "Running" } });
    return vm;
  }

  get name(): string {
    return this.#options.name;
  }

  /** The current launcher. */
  get launcher(): LauncherPod {
    if (this.#launcher === undefined) throw new Error(`${this.name} has no launcher`);
    return this.#launcher;
  }

  /** When the guest ran and its VMI was about to say so, in milliseconds since the epoch. */
  get runsSinceMs(): number {
    return this.#runsSinceMs;
  }

  /** Creates another launcher, for a migration. It is the current one from now on. */
  async addLauncher(node: KubeNode): Promise<LauncherPod> {
    const { namespace, name } = this.#options;
    return (this.#launcher = await LauncherPod.create(this.#cluster, node, { namespace, name, uid: this.#uid }));
  }

  /** Replaces labels and status of the VMI, as one write. */
  async write({ labels, status }: VmiVersion): Promise<void> {
    const { metadata } = await this.#cluster.call("PATCH", `${this.#path}?fieldManager=kubevirt&force=true`, {
      body: {
        apiVersion: "kubevirt.io/v1",
        kind: "VirtualMachineInstance",
        metadata: { name: this.name, labels: { ...this.#options.labels, ...labels } },
        spec: { ...SPEC, domain: { ...SPEC.domain, firmware: { uuid: this.uuid } } },
        status: { ...status, phaseTransitionTimestamps: this.#transitions },
      },
      contentType: "application/apply-patch+yaml",
    });
    this.#uid = metadata.uid;
  }

  /** Ends the guest and deletes its pod, then the VMI, as KubeVirt does for a VM that is stopped or restarted. */
  async stop(options: { readonly force?: boolean } = {}): Promise<void> {
    await this.launcher.delete(options);
    await this.#cluster.call("DELETE", this.#path);
  }

  /** Ends the guest, as if it powered off. The pod completes and stays, and so does the VMI. */
  async powerOff(): Promise<void> {
    const { uid, node } = this.launcher;
    // The launcher may end before virsh does.
    await this.launcher.virsh("destroy", domainNameOf(this.#options)).catch(() => undefined);
    await this.launcher.completed();
    const labels = { "kubevirt.io/nodeName": node.name };
    await this.write({ labels, status: { nodeName: node.name, activePods: { [uid]: node.name }, phase: "Succeeded" } });
  }

  get #transitions(): readonly object[] {
    if (this.#runsSinceMs === 0) return [];
    const phaseTransitionTimestamp = new Date(this.#runsSinceMs).toISOString().replace(/\.\d+Z$/, "Z");
    return [{ phase: "Running", phaseTransitionTimestamp }];
  }

  get #path(): string {
    const { namespace, name } = this.#options;
    return `/apis/kubevirt.io/v1/namespaces/${namespace}/virtualmachineinstances/${name}`;
  }
}
