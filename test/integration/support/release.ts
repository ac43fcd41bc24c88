import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { kubernetesPath } from "../../../scripts/provision/cache.ts";
import { RELEASE } from "../../../scripts/helm.ts";
import type { KubeCluster } from "./kube.ts";
import type { ApiObject } from "./kube-api.ts";
import { run, until } from "./process.ts";

/** Helm on a cluster and in a namespace, with its own directory for its caches. */
export class Helm implements AsyncDisposable {
  readonly namespace: string;
  readonly #cluster: KubeCluster;
  readonly #home: string;

  private constructor(cluster: KubeCluster, namespace: string, home: string) {
    this.#cluster = cluster;
    this.namespace = namespace;
    this.#home = home;
  }

  static async in(cluster: KubeCluster, namespace: string): Promise<Helm> {
    return new Helm(cluster, namespace, await mkdtemp(path.join(tmpdir(), "helm-")));
  }

  /** `helm("install", CHART)` installs the release. Rejects with helm's error. */
  async call(verb: "install" | "upgrade" | "rollback" | "uninstall" | "test", ...args: string[]): Promise<string> {
    const where = ["--kubeconfig", this.#cluster.kubeconfig, "--namespace", this.namespace];
    // One variable is for helm's caches, the other for those of its API client.
    const env = [`HOME=${this.#home}`, `KUBECACHEDIR=${this.#home}`];
    return run("env", ...env, kubernetesPath("helm"), verb, RELEASE, ...args, ...where);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#home, { recursive: true, force: true });
  }
}

/** Resolves to the objects of a namespace with these labels. */
export async function list(cluster: KubeCluster, path: string, labels = ""): Promise<readonly ApiObject[]> {
  const { items = [] } = await cluster.call("GET", `${path}?labelSelector=${encodeURIComponent(labels)}`);
  return items;
}

interface DaemonSetStatus {
  readonly observedGeneration?: number;
  readonly desiredNumberScheduled?: number;
}

/** Waits until the controller has seen the DaemonSet; resolves to the number of pods that it wants. */
export async function wantedPods(cluster: KubeCluster, namespace: string, name: string): Promise<number> {
  return until(async () => {
    const { status } = await cluster.call("GET", `/apis/apps/v1/namespaces/${namespace}/daemonsets/${name}`);
    const { observedGeneration, desiredNumberScheduled } = status as DaemonSetStatus;
    return observedGeneration === undefined ? undefined : desiredNumberScheduled;
  }, "the DaemonSet to be looked at");
}
