import { existsSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";

/** Returns the path of a cached build, outside the tree and by version. */
function cached(...parts: string[]): string {
  return path.join(process.env["XDG_CACHE_HOME"] ?? path.join(homedir(), ".cache"), "kubevirt-telemetry", ...parts);
}

/** A real InfluxDB OSS 2; the version is that of influxd2.sh. */
export function influxd2Path(): string {
  return cached("influxd-2.7.12", "influxd");
}

/** Python packages of Apache DataFusion, for PYTHONPATH; the version is that of datafusion.sh. */
export function datafusionPath(): string {
  return cached("datafusion-50.1.0");
}

/** Telegraf with the plugins of telegraf.sh; the version is that of telegraf.sh. */
export function telegrafPath(): string {
  return cached("telegraf-1.37.2-with-listeners", "telegraf");
}

/** A current VictoriaMetrics; the version is that of victoria-metrics.sh. */
export function victoriaMetricsPath(): string {
  return cached("victoria-metrics-1.151.0", "victoria-metrics");
}

/** QuestDB as a Java archive; the version is that of questdb.sh. */
export function questdbPath(): string {
  return cached("questdb-9.3.4", "questdb.jar");
}

/** A kernel for test guests, with its modules in `modules` beside it. */
export function kernelPath(): string {
  return cached("guest-kernel", "vmlinuz");
}

/** kube-router, for NetworkPolicies; the version is that of kube-router.sh. */
export function kubeRouterPath(): string {
  return cached("kube-router-2.1.0", "kube-router");
}

/** A path in Debian's containerd, runc and CNI plugins, unpacked by containerd.sh. */
export function containerdPath(inside = ""): string {
  return cached("containerd", inside);
}

/** nFPM, which makes packages; the version is that of nfpm.sh. */
export function nfpmPath(): string {
  return cached("nfpm-2.45.1", "nfpm");
}

/** A small Debian with systemd, unpacked by debian-root.sh. */
export function debianRootPath(): string {
  return cached("debian-bookworm");
}

/** The programs of a control plane without nodes, and its clients. */
export const KUBERNETES_PROGRAMS = ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl", "helm"] as const;
/** What a cluster with nodes needs besides. */
export const NODE_PROGRAMS = ["kube-scheduler", "kubelet"] as const;
export type KubernetesProgram = (typeof KUBERNETES_PROGRAMS)[number] | (typeof NODE_PROGRAMS)[number];

/** Where kubernetes.sh puts the programs; the version is the one written there. */
export function kubernetesDirectory(): string {
  return cached("kubernetes-1.35.4");
}

/** A program of the control plane: the one that $KUBEBUILDER_ASSETS has, else the cached one. */
export function kubernetesPath(program: KubernetesProgram): string {
  const ready = path.join(process.env["KUBEBUILDER_ASSETS"] ?? kubernetesDirectory(), program);
  return existsSync(ready) ? ready : path.join(kubernetesDirectory(), program);
}
