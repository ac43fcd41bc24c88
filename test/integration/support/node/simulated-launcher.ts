import { chmod, chown, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { SimulatedHost } from "../../../../src/simulator/simulated-host.ts";
import { SimulatorServer } from "../../../../src/simulator/server.ts";
import { SyntheticDomain } from "../../../../src/simulator/synthetic-domain.ts";
import type { KubeCluster } from "../kube.ts";
import { applyVmi, deleteVmi } from "../vmi.ts";
import type { KubeNode } from "./kube-node.ts";
import { PAUSE_IMAGE } from "./node-files.ts";
import { readyPod } from "./pods.ts";

/** KubeVirt's user `qemu`. */
const LAUNCHER_UID = 107;

export interface SimulatedVm {
  readonly namespace: string;
  readonly name: string;
}

/**
 * A VM whose launcher is a real pod with the volumes of a virt-launcher. Its libvirt daemon is a simulator in the test's process,
 * whose socket is in the pod's volume.
 */
export class SimulatedLauncher implements AsyncDisposable {
  readonly podUid: string;
  readonly #cluster: KubeCluster;
  readonly #vm: SimulatedVm;
  readonly #daemon: SimulatorServer;

  private constructor(cluster: KubeCluster, vm: SimulatedVm, podUid: string, daemon: SimulatorServer) {
    this.#cluster = cluster;
    this.#vm = vm;
    this.podUid = podUid;
    this.#daemon = daemon;
  }

  /** Starts the pod, then the daemon, and then says that the VM runs there. */
  static async start(cluster: KubeCluster, node: KubeNode, vm: SimulatedVm): Promise<SimulatedLauncher> {
    await cluster.apply(JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name: vm.namespace } }));
    await cluster.apply(JSON.stringify(podOf(vm, node.name)));
    const { uid } = (await readyPod(cluster, vm.namespace, `kubevirt.io/domain=${vm.name}`)).metadata;
    const runtime = path.join(node.podsDir, uid, "volumes/kubernetes.io~empty-dir/libvirt-runtime");
    const daemon = await startDaemon(
      runtime,
      new SyntheticDomain(1, SHAPE, { name: `${vm.namespace}_${vm.name}`, id: 1 }),
    );
    try {
      await applyVmi(cluster, { ...vm, node: node.name, pods: { [uid]: node.name } });
      return new SimulatedLauncher(cluster, vm, uid, daemon);
    } catch (error) {
      await daemon[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Ends the VM and deletes the pod; resolves when the kubelet has removed it. */
  async end(): Promise<void> {
    await this.#daemon[Symbol.asyncDispose]();
    await deleteVmi(this.#cluster, this.#vm);
    await this.#cluster.kubectl("delete", "pod", podName(this.#vm), "--namespace", this.#vm.namespace, "--timeout=60s");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon[Symbol.asyncDispose]();
  }
}

const SHAPE = { nics: 1, disks: 1, seed: 3 };

function podName({ name }: SimulatedVm): string {
  return `virt-launcher-${name}`;
}

/** The parts of a virt-launcher's pod that an agent depends on, and a volume in memory, which is a mount of its own. */
function podOf(vm: SimulatedVm, nodeName: string): object {
  const volumes = [
    { name: "libvirt-runtime", emptyDir: {} },
    { name: "memory", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } },
  ];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      namespace: vm.namespace,
      name: podName(vm),
      labels: { "kubevirt.io": "virt-launcher", "kubevirt.io/domain": vm.name },
    },
    spec: {
      nodeName,
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      securityContext: { runAsUser: LAUNCHER_UID, runAsGroup: LAUNCHER_UID, fsGroup: LAUNCHER_UID },
      containers: [
        {
          name: "compute",
          image: PAUSE_IMAGE,
          volumeMounts: [
            { name: "libvirt-runtime", mountPath: "/var/run/libvirt" },
            { name: "memory", mountPath: "/memory" },
          ],
        },
      ],
      volumes,
    },
  };
}

/** Serves the domain on the socket of a launcher's directory, which belongs to the launcher's user. */
async function startDaemon(runtime: string, domain: SyntheticDomain): Promise<SimulatorServer> {
  const host = new SimulatedHost();
  host.addDomain(domain);
  // The path of a socket has at most 107 bytes.
  const short = await mkdtemp(path.join(tmpdir(), "s"));
  try {
    await symlink(runtime, path.join(short, "r"));
    const daemon = await SimulatorServer.start(path.join(short, "r/virtqemud-sock"), host);
    await chown(path.join(runtime, "virtqemud-sock"), LAUNCHER_UID, LAUNCHER_UID);
    await chmod(path.join(runtime, "virtqemud-sock"), 0o700);
    return daemon;
  } finally {
    await rm(short, { recursive: true });
  }
}
