import { readdir, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { domainNameOf } from "../../../../src/discovery/domain-name.ts";
import type { ApiObject } from "../kube-api.ts";
import type { KubeCluster } from "../kube.ts";
import { until } from "../process.ts";
import type { KubeNode } from "./kube-node.ts";
import { CLOUD_INIT, ROOT_DISK } from "./launcher-domain.ts";
import { LAUNCHER_IMAGE, LAUNCHER_UID } from "./launcher-image.ts";
import { isReady, pidOf, type RunningPod } from "./pods.ts";

/** The VMI of a launcher. */
export interface LauncherVmi {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** A long limit, for two busy cores. */
const START_MS = 120_000;

const RUNTIME = "/var/run/libvirt";
const PRIVATE = "/var/run/kubevirt-private";
const SOCKETS = "/var/run/kubevirt/sockets";
const EPHEMERAL = "/var/run/kubevirt-ephemeral-disks";
const URI = `qemu+unix:///session?socket=${RUNTIME}/virtqemud-sock`;
/** The user of a launcher may open the device on the node, as with KubeVirt's device plugin. */
const TUN = "/run/launcher-tun";

/**
 * What a virt-launcher does: starts its daemon, then the domain that it is given, and ends with the domain. Its domain can also come
 * from another launcher. The daemon is Debian's libvirtd, whose socket gets the name of KubeVirt's virtqemud.
 */
const LAUNCHER = `set -eu
mkdir -p ${path.dirname(ROOT_DISK)} ${path.dirname(CLOUD_INIT)} ${PRIVATE}/libvirt
qemu-img create -q -f qcow2 ${ROOT_DISK} 64M
truncate --size 1M ${CLOUD_INIT}
cat > ${PRIVATE}/libvirt/qemu.conf <<END
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
END
cat > ${RUNTIME}/virtqemud.conf <<END
host_uuid = "$POD_UID"
listen_tls = 0
listen_tcp = 1
auth_tcp = "none"
log_outputs = "3:stderr"
END
libvirtd --listen --config ${RUNTIME}/virtqemud.conf --pid-file ${RUNTIME}/virtqemud.pid &
until [ -S ${RUNTIME}/libvirt-sock ]; do sleep 0.2; done
mv ${RUNTIME}/libvirt-sock ${RUNTIME}/virtqemud-sock
virsh() { command virsh --quiet --connect "${URI}" "$@"; }
trap 'virsh destroy "$DOMAIN" || exit 0' TERM
running=${RUNTIME}/qemu/run/$DOMAIN.pid
until [ -e "$running" ]; do
  if [ -e ${SOCKETS}/domain.xml ]; then
    virsh create ${SOCKETS}/domain.xml
    rm ${SOCKETS}/domain.xml
    break
  fi
  sleep 0.5
done
while [ -e "$running" ]; do sleep 0.5; done
`;

/** Name of a volume -> where the compute container has it. */
const VOLUMES: Readonly<Record<string, string>> = {
  private: PRIVATE,
  public: "/var/run/kubevirt",
  "ephemeral-disks": EPHEMERAL,
  "libvirt-runtime": RUNTIME,
  sockets: SOCKETS,
  "container-disks": "/var/run/kubevirt/container-disks",
  "hotplug-disks": "/var/run/kubevirt/hotplug-disks",
};
/** Volumes into which virt-handler mounts disks later. */
const FOR_MOUNTS = ["container-disks", "hotplug-disks"];

/** A virt-launcher that a kubelet runs, with the volumes, names and rights of a real one, and Debian's libvirt and QEMU. */
export class LauncherPod {
  readonly name: string;
  readonly uid: string;
  readonly node: KubeNode;
  readonly #cluster: KubeCluster;
  readonly #vmi: LauncherVmi;
  #hasTap = false;

  private constructor(cluster: KubeCluster, node: KubeNode, { metadata }: ApiObject, vmi: LauncherVmi) {
    this.#cluster = cluster;
    this.#vmi = vmi;
    this.node = node;
    this.name = metadata.name;
    this.uid = metadata.uid;
  }

  /** Creates the pod; it does not run yet. */
  static async create(cluster: KubeCluster, node: KubeNode, vmi: LauncherVmi): Promise<LauncherPod> {
    const { namespace } = vmi;
    await node.run("sh", "-c", `mknod --mode 666 ${TUN} c 10 200 2> /dev/null || [ -e ${TUN} ]`);
    const pod = await cluster.call("POST", `/api/v1/namespaces/${namespace}/pods`, { body: podOf(vmi, node.name) });
    return new LauncherPod(cluster, node, pod, vmi);
  }

  /** Waits until the pod is Ready, and gives its network the tap of the guest, as virt-handler does. */
  async ready(): Promise<void> {
    if (this.#hasTap) return;
    const pod = await this.#until((pod) => isReady(pod), "Ready");
    const network = ["nsenter", "--target", await pidOf(this.node, pod, "compute"), "--net"];
    const tap = `ip tuntap add tap0 mode tap user ${LAUNCHER_UID}; ip link set tap0 up`;
    await this.node.run(...network, "sh", "-ec", tap);
    this.#hasTap = true;
  }

  /** Gives the launcher the XML of its domain; resolves when the guest runs. */
  async startDomain(xml: string): Promise<void> {
    const file = path.join(this.#volume("sockets"), "domain.xml");
    await writeFile(`${file}.new`, xml);
    await rename(`${file}.new`, file);
    // The launcher removes it then.
    await this.#until(async () => !(await readdir(path.dirname(file))).includes(path.basename(file)), "with its guest");
  }

  /** Waits until the launcher has a domain, which may still wait for a migration to end. */
  async domainAppears(): Promise<void> {
    const run = path.join(this.#volume("libvirt-runtime"), "qemu/run");
    const isThere = async (): Promise<boolean> => {
      const files = await readdir(run).catch((): string[] => []);
      return files.includes(`${this.#domain}.pid`);
    };
    await this.#until(isThere, "with its domain");
  }

  /** Runs virsh in the pod; resolves to its output. */
  virsh(...args: string[]): Promise<string> {
    return this.#kubectl(
      "exec",
      this.name,
      "--container",
      "compute",
      "--",
      "virsh",
      "--quiet",
      "--connect",
      URI,
      ...args,
    );
  }

  /** Migrates the domain live to another launcher, with the content of its disk. Resolves when the guest runs only there. */
  async migrate(to: LauncherPod, mibPerSecond: number): Promise<void> {
    const { podIP = "" } = (await to.#pod()).status;
    const storage = ["--copy-storage-all", "--migrate-disks", "vda", "--unsafe"];
    const how = ["--live", "--p2p", ...storage, "--bandwidth", String(mibPerSecond), "--migrateuri", `tcp://${podIP}`];
    await this.virsh("migrate", ...how, this.#domain, `qemu+tcp://${podIP}/session`);
  }

  /** Waits until all containers have ended and the pod is Succeeded. */
  async completed(): Promise<void> {
    await this.#until(({ status }) => status.phase === "Succeeded", "Succeeded");
  }

  /** Waits until the kubelet has removed all volumes of the pod. */
  async volumesRemoved(): Promise<void> {
    const volumes = path.dirname(this.#volume("private"));
    await until(
      async () => (await readdir(volumes).catch(() => [])).length === 0 || undefined,
      `the volumes of ${this.name} to go`,
      START_MS,
    );
  }

  /** With `force` the pod is gone from the API server before its processes have ended, which get no signal to end by themselves. */
  async delete({ force = false } = {}): Promise<void> {
    const how = force ? ["--force", "--grace-period=0"] : ["--timeout=60s"];
    await this.#kubectl("delete", "pod", this.name, ...how);
  }

  /** Resolves to the pod when it is as wanted; rejects with its log if it fails. */
  async #until(isSo: (pod: RunningPod) => boolean | Promise<boolean>, what: string): Promise<RunningPod> {
    const pod = await until(
      async () => {
        const pod = await this.#pod();
        return pod.status.phase === "Failed" || (await isSo(pod)) ? pod : undefined;
      },
      `the launcher ${this.name} to be ${what}`,
      START_MS,
    );
    if (pod.status.phase !== "Failed") return pod;
    throw new Error(`${this.name} has failed: ${await this.#kubectl("logs", this.name)}`);
  }

  #kubectl(...args: string[]): Promise<string> {
    return this.#cluster.kubectl("--namespace", this.#vmi.namespace, ...args);
  }

  async #pod(): Promise<RunningPod> {
    const { namespace } = this.#vmi;
    return (await this.#cluster.call("GET", `/api/v1/namespaces/${namespace}/pods/${this.name}`)) as RunningPod;
  }

  get #domain(): string {
    return domainNameOf(this.#vmi);
  }

  #volume(name: string): string {
    return path.join(this.node.podsDir, this.uid, "volumes/kubernetes.io~empty-dir", name);
  }
}

/** Returns the pod of a VMI as virt-controller writes it, without the containers of container disks. */
function podOf(vmi: LauncherVmi, node: string): object {
  const { namespace, name, uid } = vmi;
  const container = {
    name: "compute",
    image: LAUNCHER_IMAGE,
    command: ["/bin/sh", "-c", LAUNCHER],
    env: [
      { name: "PATH", value: "/usr/sbin:/usr/bin" },
      { name: "XDG_CACHE_HOME", value: PRIVATE },
      { name: "XDG_CONFIG_HOME", value: PRIVATE },
      { name: "XDG_RUNTIME_DIR", value: "/var/run" },
      { name: "HOME", value: PRIVATE },
      { name: "DOMAIN", value: domainNameOf(vmi) },
      { name: "POD_UID", valueFrom: { fieldRef: { fieldPath: "metadata.uid" } } },
    ],
    resources: { requests: { cpu: "50m", memory: "396Mi", "ephemeral-storage": "50M" } },
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"], add: ["NET_BIND_SERVICE"] },
      runAsNonRoot: true,
      runAsUser: LAUNCHER_UID,
      runAsGroup: LAUNCHER_UID,
    },
    volumeMounts: [
      ...Object.entries(VOLUMES).map(([volume, mountPath]) => ({
        name: volume,
        mountPath,
        ...(FOR_MOUNTS.includes(volume) && { mountPropagation: "HostToContainer" }),
      })),
      { name: "usr", mountPath: "/usr", readOnly: true },
      { name: "tun", mountPath: "/dev/net/tun" },
    ],
  };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      namespace,
      generateName: `virt-launcher-${name}-`,
      labels: {
        "kubevirt.io": "virt-launcher",
        "kubevirt.io/created-by": uid,
        "vm.kubevirt.io/name": name,
        "vmi.kubevirt.io/id": name,
      },
      annotations: { "kubevirt.io/domain": name },
      ownerReferences: [
        {
          apiVersion: "kubevirt.io/v1",
          kind: "VirtualMachineInstance",
          name,
          uid,
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: {
      nodeSelector: { "kubernetes.io/hostname": node },
      hostname: name,
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 35,
      automountServiceAccountToken: false,
      securityContext: {
        runAsUser: LAUNCHER_UID,
        runAsGroup: LAUNCHER_UID,
        runAsNonRoot: true,
        fsGroup: LAUNCHER_UID,
      },
      containers: [container],
      volumes: [
        ...[...Object.keys(VOLUMES), "virt-bin-share-dir"].map((volume) => ({ name: volume, emptyDir: {} })),
        { name: "usr", hostPath: { path: "/usr", type: "Directory" } },
        { name: "tun", hostPath: { path: TUN, type: "CharDevice" } },
      ],
    },
  };
}
