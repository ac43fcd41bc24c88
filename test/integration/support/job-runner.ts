import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { KubeCluster } from "./kube.ts";
import type { ApiObject } from "./kube-api.ts";

/** The fields of a pod that running it needs. */
interface PodSpec {
  readonly serviceAccountName: string;
  readonly containers: readonly [
    { readonly name: string; readonly args: readonly string[]; readonly volumeMounts?: readonly Mount[] },
  ];
  readonly volumes?: readonly { readonly name: string; readonly configMap?: { readonly name: string } }[];
}

interface Mount {
  readonly name: string;
  readonly mountPath: string;
}

export interface RanPod {
  readonly name: string;
  readonly exitCode: number;
  readonly output: string;
}

/**
 * Replaces the kubelet for Jobs: runs pods of this project's image that end by themselves, with the bundle, the token of their
 * service account and the files of their ConfigMaps, and reports their results. Other volumes are empty, and other pods are
 * not run.
 */
export class JobRunner implements AsyncDisposable {
  readonly ran: RanPod[] = [];
  readonly #cluster: KubeCluster;
  readonly #namespace: string;
  readonly #ended = new AbortController();
  readonly #working: Promise<void>;

  constructor(cluster: KubeCluster, namespace: string) {
    this.#cluster = cluster;
    this.#namespace = namespace;
    this.#working = this.#work();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#working;
  }

  async #work(): Promise<void> {
    const done = new Set<string>();
    while (!this.#ended.signal.aborted) {
      const { items = [] } = await this.#cluster.call("GET", this.#path(""));
      for (const pod of items) {
        const { restartPolicy } = (pod.spec ?? {}) as { readonly restartPolicy?: string };
        if (restartPolicy !== "Never" || done.has(pod.metadata.uid)) continue;
        done.add(pod.metadata.uid);
        await this.#run(pod);
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  async #run({ metadata, spec }: ApiObject): Promise<void> {
    const pod = spec as unknown as PodSpec;
    const [{ name, args, volumeMounts = [] }] = pod.containers;
    const root = await mkdtemp(path.join(tmpdir(), "pod-"));
    try {
      for (const mount of volumeMounts) await this.#mount(pod, mount, root);
      const inRoot = args.map((arg) =>
        volumeMounts.some(({ mountPath }) => `${arg}/`.startsWith(`${mountPath}/`)) ? root + arg : arg,
      );
      const KUBECONFIG = await this.#cluster.kubeconfigOf(this.#namespace, pod.serviceAccountName);
      const { exitCode, output } = await runImage(inRoot, { PATH: process.env["PATH"], KUBECONFIG });
      this.ran.push({ name: metadata.name, exitCode, output });
      await this.#report(metadata.name, name, exitCode);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  }

  async #mount({ volumes = [] }: PodSpec, { name, mountPath }: Mount, root: string): Promise<void> {
    await mkdir(path.join(root, mountPath), { recursive: true });
    const { configMap } = volumes.find((volume) => volume.name === name) ?? {};
    if (configMap === undefined) return;
    const object = await this.#cluster.call(
      "GET",
      `/api/v1/namespaces/${this.#namespace}/configmaps/${configMap.name}`,
    );
    const { data } = object as ApiObject & { readonly data: Readonly<Record<string, string>> };
    for (const [file, text] of Object.entries(data)) await writeFile(path.join(root, mountPath, file), text);
  }

  async #report(pod: string, container: string, exitCode: number): Promise<void> {
    const finishedAt = new Date().toISOString().replace(/\.\d+/, "");
    const terminated = { exitCode, startedAt: finishedAt, finishedAt };
    const state = { name: container, image: "", imageID: "", ready: false, restartCount: 0, state: { terminated } };
    const status = { phase: exitCode === 0 ? "Succeeded" : "Failed", containerStatuses: [state] };
    await this.#cluster.call("PATCH", this.#path(`/${pod}/status`), {
      body: { status },
      contentType: "application/merge-patch+json",
    });
  }

  #path(rest: string): string {
    return `/api/v1/namespaces/${this.#namespace}/pods${rest}`;
  }
}

function runImage(args: readonly string[], env: NodeJS.ProcessEnv): Promise<{ exitCode: number; output: string }> {
  return new Promise((resolve) => {
    const command = ["dist/kubevirt-telemetry.js", ...args];
    execFile(process.execPath, command, { env }, (error, stdout, stderr) => {
      resolve({ exitCode: error === null ? 0 : Number(error.code ?? 1), output: stdout + stderr });
    });
  });
}
