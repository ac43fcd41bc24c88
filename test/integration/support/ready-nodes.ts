import type { KubeCluster } from "./kube.ts";
import { until } from "./process.ts";

const HEARTBEAT_MS = 5_000;

/** Keeps Nodes ready for the controllers. A DaemonSet may want no pod on a Node whose kubelet is silent. */
export class ReadyNodes implements AsyncDisposable {
  readonly #cluster: KubeCluster;
  readonly #names: readonly string[];
  readonly #beating: NodeJS.Timeout;
  #beat: Promise<void>;

  private constructor(cluster: KubeCluster, names: readonly string[]) {
    this.#cluster = cluster;
    this.#names = names;
    this.#beat = this.#renew();
    this.#beating = setInterval(() => {
      this.#beat = this.#beat.then(() => this.#renew());
    }, HEARTBEAT_MS);
  }

  static async create(
    cluster: KubeCluster,
    names: readonly string[],
    labels: Readonly<Record<string, string>>,
  ): Promise<ReadyNodes> {
    for (const name of names)
      await cluster.call("POST", "/api/v1/nodes", {
        body: { apiVersion: "v1", kind: "Node", metadata: { name, labels } },
      });
    const nodes = new ReadyNodes(cluster, names);
    await until(async () => {
      const { items = [] } = await cluster.call("GET", "/api/v1/nodes");
      return items.every(({ spec }) => spec?.["taints"] === undefined) || undefined;
    }, "the nodes to be ready");
    return nodes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#beating);
    await this.#beat;
  }

  async #renew(): Promise<void> {
    const now = new Date().toISOString();
    const condition = {
      type: "Ready",
      status: "True",
      reason: "Test",
      message: "",
      lastHeartbeatTime: now.replace(/\.\d+/, ""),
    };
    for (const name of this.#names) {
      await this.#cluster.call("PATCH", `/api/v1/nodes/${name}/status`, {
        body: { status: { conditions: [condition] } },
        contentType: "application/strategic-merge-patch+json",
      });
      const lease = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
      await this.#cluster.call("PATCH", `${lease}/${name}?fieldManager=kubelet&force=true`, {
        body: {
          apiVersion: "coordination.k8s.io/v1",
          kind: "Lease",
          metadata: { name },
          spec: { holderIdentity: name, renewTime: now.replace("Z", "000Z"), leaseDurationSeconds: 40 },
        },
        contentType: "application/apply-patch+yaml",
      });
    }
  }
}
