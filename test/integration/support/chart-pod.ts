import { spawn, type ChildProcess } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { AgentProcess } from "./agent-process.ts";
import type { Image, RunOptions } from "./image.ts";
import type { KubeCluster } from "./kube.ts";
import type { ApiObject } from "./kube-api.ts";

const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/** The fields of a pod's spec that define its containers. */
interface PodSpec {
  readonly serviceAccountName: string;
  readonly initContainers?: readonly Container[];
  readonly containers: readonly [Container];
  readonly volumes: readonly { readonly name: string; readonly hostPath?: { readonly path: string } }[];
}

interface Container {
  readonly args: readonly string[];
  readonly env?: readonly {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: { readonly fieldRef: { readonly fieldPath: string } };
  }[];
  readonly securityContext: {
    readonly runAsUser: number;
    readonly runAsGroup: number;
    readonly capabilities: { readonly add?: readonly string[] };
  };
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
}

export interface ChartPodOptions {
  readonly cluster: KubeCluster;
  readonly image: Image;
  readonly namespace: string;
  /** Node of the pod. */
  readonly node: string;
}

/**
 * Runs a pod of the chart from its object in the API server, instead of the scheduler and the kubelet: its init containers, then
 * its container, each with its user, capabilities, mounts and environment.
 */
export class ChartPod extends AgentProcess {
  readonly uid: string;
  #account = "";

  static async start(pod: ApiObject, { cluster, image, namespace, node }: ChartPodOptions): Promise<ChartPod> {
    const at = `/api/v1/namespaces/${namespace}/pods/${pod.metadata.name}`;
    const target = { apiVersion: "v1", kind: "Node", name: node };
    await cluster.call("POST", `${at}/binding`, {
      body: { apiVersion: "v1", kind: "Binding", metadata: { name: pod.metadata.name }, target },
    });
    const { serviceAccountName, volumes, initContainers = [], containers } = pod.spec as unknown as PodSpec;
    const account = await mkdtemp(path.join(tmpdir(), "account-"));
    await chmod(account, 0o755);
    const token = await cluster.createServiceAccountToken(namespace, serviceAccountName, {
      boundPod: pod.metadata.name,
    });
    for (const [name, text] of Object.entries({ "ca.crt": cluster.ca, namespace, token }))
      await writeFile(path.join(account, name), text);
    const { hostname, port } = new URL(cluster.url);
    const server = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
    const fields = { "spec.nodeName": node, "metadata.uid": pod.metadata.uid };
    for (const { hostPath } of volumes) if (hostPath !== undefined) await mkdir(hostPath.path, { recursive: true });
    const options = (container: Container): RunOptions => ({
      user: `${container.securityContext.runAsUser}:${container.securityContext.runAsGroup}`,
      capabilities: container.securityContext.capabilities.add?.map((name) => name.toLowerCase()) ?? [],
      mounts: { ...mountsOf(container, volumes), [ACCOUNT]: `${account}:ro` },
      env: { ...server, ...environmentOf(container, fields) },
    });
    for (const container of initContainers) await image.run(options(container), ...container.args);
    const [container] = containers;
    const [program, ...args] = await image.command(options(container), ...container.args);
    const process = new ChartPod(pod.metadata.uid, spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] }));
    process.#account = account;
    return process;
  }

  private constructor(uid: string, child: ChildProcess) {
    super(child);
    this.uid = uid;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    await rm(this.#account, { recursive: true, force: true });
  }
}

function mountsOf({ volumeMounts }: Container, volumes: PodSpec["volumes"]): Record<string, string> {
  return Object.fromEntries(
    volumeMounts.map(({ name, mountPath, readOnly }) => {
      const from = volumes.find((volume) => volume.name === name)?.hostPath?.path;
      if (from === undefined) throw new Error(`${name} is no hostPath`);
      return [mountPath, readOnly === true ? `${from}:ro` : from];
    }),
  );
}

function environmentOf({ env = [] }: Container, fields: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    env.map(({ name, value, valueFrom }) => [name, value ?? fields[valueFrom?.fieldRef.fieldPath ?? ""] ?? ""]),
  );
}
