import { containerdPath } from "../../../../scripts/provision/cache.ts";

/** What the files of a node differ in. */
export interface NodeSettings {
  readonly podRange: string;
  /** Path below the root of every control group hierarchy. */
  readonly cgroupRoot: string;
  /** The authority of the API server's certificate for kubelets. */
  readonly caFile: string;
  /** Directory of the node's files. */
  readonly directory: string;
  /** `native` copies files, and works where overlayfs cannot have an overlay below it, as in a container. */
  readonly snapshotter: "overlayfs" | "native";
}

/** Any image whose program waits. It holds the namespaces of a pod. */
export const PAUSE_IMAGE = "localhost/busybox:1";

/** Returns the files of a node: name -> text. */
export function nodeFiles(settings: NodeSettings): Readonly<Record<string, string>> {
  return {
    "containerd.toml": containerdConfig(settings),
    "kubelet.yaml": kubeletConfig(settings),
    "cni/10-pods.conflist": podNetwork(settings),
  };
}

function containerdConfig({ directory, snapshotter }: NodeSettings): string {
  return `version = 2
# Each needs a file system or a device that a test machine may lack.
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper"]
# By default it is /opt/containerd, which is not on the node's disk.
[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  # A test may run without the right to lower it.
  restrict_oom_score_adj = true
  # A machine may have AppArmor and not its programs.
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "${snapshotter}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${containerdPath("usr/lib/cni")}"
    conf_dir = "${directory}/cni"
`;
}

function kubeletConfig({ caFile, cgroupRoot }: NodeSettings): string {
  return `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: { enabled: false }
  webhook: { enabled: true }
  x509: { clientCAFile: ${caFile} }
authorization: { mode: Webhook }
cgroupDriver: cgroupfs
cgroupRoot: ${cgroupRoot}
# Some test machines have control groups of version 1 only.
failCgroupV1: false
failSwapOn: false
# By default it is in /usr/libexec, which is not on the node's disk.
volumePluginDir: /var/lib/kubelet/volume-plugins
oomScoreAdj: 0
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
# Without an address of a DNS server each pod starts with a warning. No pod of the tests uses it.
clusterDNS: [192.0.2.53]
clusterDomain: cluster.local
# The machine's disk and memory are not the node's alone.
evictionHard: { nodefs.available: 1%, imagefs.available: 1%, memory.available: 100Mi }
imageGCHighThresholdPercent: 100
`;
}

function podNetwork({ podRange }: NodeSettings): string {
  const ipam = { type: "host-local", ranges: [[{ subnet: podRange }]], routes: [{ dst: "0.0.0.0/0" }] };
  const plugins = [{ type: "bridge", bridge: "cni0", isGateway: true, ipam }];
  return JSON.stringify({ cniVersion: "1.0.0", name: "pods", plugins });
}
