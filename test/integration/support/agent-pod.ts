import { spawn, type ChildProcess } from "node:child_process";
import { chmod, mkdtemp, readdir, readFile, readlink, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { AGENT_COMMAND, AgentProcess, SERVE_NOTHING } from "./agent-process.ts";
import type { KubeCluster } from "./kube.ts";
import { LAUNCHER_UID } from "./launcher.ts";
import { AGENT, NAMESPACE } from "./telemetry-cluster.ts";

/** Who the agent is. The first two suffice. */
const IDENTITIES = {
  /** The user of the launchers, in the group that may look into the kubelet's directories. */
  launcher: `--reuid ${LAUNCHER_UID} --regid 0 --clear-groups --bounding-set=-all --inh-caps=-all`,
  /** With one capability. */
  root: "--bounding-set=-all,+dac_override --inh-caps=-all",
  "root without capabilities": "--bounding-set=-all --inh-caps=-all",
  stranger: "--reuid 1234 --regid 1234 --clear-groups --bounding-set=-all --inh-caps=-all",
} as const;

export interface AgentPodOptions {
  readonly cluster: KubeCluster;
  /** Of a Node in the cluster. */
  readonly node: string;
  readonly podsDir: string;
  readonly identity?: keyof typeof IDENTITIES;
  readonly env?: Readonly<Record<string, string>>;
}

/** Where a container has the pods directory, read-only and under a short name. */
const MOUNT = "/mnt";

/** What the kubelet mounts into a container. The agent takes the place of the shell. */
const CONTAINER = `set -e
mount --bind "$PODS" ${MOUNT}
mount -o remount,bind,ro ${MOUNT}
mount -t tmpfs tmpfs /run
mkdir -p /run/secrets/kubernetes.io/serviceaccount
mount --bind "$ACCOUNT" /run/secrets/kubernetes.io/serviceaccount
exec setpriv $IDENTITY --no-new-privs "$@"
`;

let pods = 0;

/** The bundled agent in the pod of a DaemonSet, as far as it can tell: with a token that is bound to its pod and node. */
export class AgentPod extends AgentProcess {
  readonly #options: AgentPodOptions;
  /** The directory of the service account. */
  readonly #account: string;
  #pod: PodObject;

  private constructor(options: AgentPodOptions, account: string, pod: PodObject, child: ChildProcess) {
    super(child);
    this.#options = options;
    this.#account = account;
    this.#pod = pod;
  }

  static async start(options: AgentPodOptions): Promise<AgentPod> {
    const { cluster, node, podsDir, identity = "launcher", env = {} } = options;
    const account = await mkdtemp(path.join(tmpdir(), "account-"));
    await chmod(account, 0o755);
    const pod = await createPod(cluster, node);
    await replaceFile(path.join(account, "ca.crt"), cluster.ca);
    await replaceFile(path.join(account, "namespace"), NAMESPACE);
    await replaceFile(path.join(account, "token"), await tokenOf(cluster, pod));
    const { hostname, port } = new URL(cluster.url);
    const command = [...AGENT_COMMAND, "--node-name", node, "--pods-dir", MOUNT];
    const child = spawn("unshare", ["--mount", "sh", "-c", CONTAINER, "sh", ...command], {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        PATH: process.env["PATH"],
        PODS: podsDir,
        ACCOUNT: account,
        IDENTITY: IDENTITIES[identity],
        KUBERNETES_SERVICE_HOST: hostname,
        KUBERNETES_SERVICE_PORT: port,
        KUBEVIRT_TELEMETRY_POD_UID: pod.uid,
        ...SERVE_NOTHING,
        ...env,
      },
    });
    return new AgentPod(options, account, pod, child);
  }

  get podUid(): string {
    return this.#pod.uid;
  }

  /** Its connections to unix sockets, which are those to libvirt. */
  async unixConnections(): Promise<number> {
    const table = await readFile(`/proc/${this.pid}/net/unix`, "utf8");
    const inodes = new Set(table.split("\n").map((line) => `socket:[${line.split(/\s+/)[6] ?? ""}]`));
    // Those of its standard streams are the test's.
    const fds = (await readdir(`/proc/${this.pid}/fd`)).filter((fd) => Number(fd) > 2);
    const open = await Promise.all(fds.map((fd) => readlink(`/proc/${this.pid}/fd/${fd}`).catch(() => "")));
    return open.filter((target) => inodes.has(target)).length;
  }

  /** The token becomes worthless at once; the process stays, as that of a pod that is only gone in the API. */
  async revokeToken(): Promise<void> {
    await deletePod(this.#options.cluster, this.#pod);
  }

  /** As the kubelet does it long before a token ends. */
  async renewToken(): Promise<void> {
    this.#pod = await createPod(this.#options.cluster, this.#options.node);
    await replaceFile(path.join(this.#account, "token"), await tokenOf(this.#options.cluster, this.#pod));
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    await rm(this.#account, { recursive: true, force: true });
  }
}

interface PodObject {
  readonly name: string;
  readonly uid: string;
}

const PODS = `/api/v1/namespaces/${NAMESPACE}/pods`;

async function createPod(cluster: KubeCluster, node: string): Promise<PodObject> {
  const metadata = { name: `agent-${node}-${pods++}` };
  const spec = { serviceAccountName: AGENT, nodeName: node, containers: [{ name: "agent", image: "agent" }] };
  return (await cluster.call("POST", PODS, { body: { apiVersion: "v1", kind: "Pod", metadata, spec } })).metadata;
}

async function deletePod(cluster: KubeCluster, { name }: PodObject): Promise<void> {
  await cluster.call("DELETE", `${PODS}/${name}?gracePeriodSeconds=0`);
}

function tokenOf(cluster: KubeCluster, { name }: PodObject): Promise<string> {
  return cluster.createServiceAccountToken(NAMESPACE, AGENT, { boundPod: name });
}

/** In one step. */
async function replaceFile(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}
