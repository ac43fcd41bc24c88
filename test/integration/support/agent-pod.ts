import { spawn, type ChildProcess } from "node:child_process";
import { chmod, mkdtemp, readdir, readFile, readlink, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { AGENT_COMMAND, AgentProcess, SERVE_NOTHING } from "./agent-process.ts";
import type { KubeCluster } from "./kube.ts";
import { LAUNCHER_UID } from "./launcher.ts";
import { AGENT, NAMESPACE } from "./telemetry-cluster.ts";

/** Users of the agent. The first two have enough rights. */
const IDENTITIES = {
  /** The launchers' user, in the group that may enter the kubelet's directories. */
  launcher: `--reuid ${LAUNCHER_UID} --regid 0 --clear-groups --bounding-set=-all --inh-caps=-all`,
  /** Root with one capability. */
  root: "--bounding-set=-all,+dac_override --inh-caps=-all",
  "root without capabilities": "--bounding-set=-all --inh-caps=-all",
  stranger: "--reuid 1234 --regid 1234 --clear-groups --bounding-set=-all --inh-caps=-all",
} as const;

export interface AgentPodOptions {
  readonly cluster: KubeCluster;
  /** Name of a Node in the cluster. */
  readonly node: string;
  readonly podsDir: string;
  readonly identity?: keyof typeof IDENTITIES;
  readonly env?: Readonly<Record<string, string>>;
  /** The default is the bundle of this checkout with its log of level debug. */
  readonly command?: readonly string[];
  /** The begin of a command that runs the rest of it. */
  readonly through?: readonly string[];
}

/** Path of the pods directory in a container, read-only and short. */
const MOUNT = "/mnt";

/** Mounts what the kubelet would mount into a container, then replaces the shell with the agent. */
const CONTAINER = `set -e
mount --bind "$PODS" ${MOUNT}
mount -o remount,bind,ro ${MOUNT}
mount -t tmpfs tmpfs /run
mkdir -p /run/secrets/kubernetes.io/serviceaccount
mount --bind "$ACCOUNT" /run/secrets/kubernetes.io/serviceaccount
exec setpriv $IDENTITY --no-new-privs "$@"
`;

let pods = 0;

/** The bundled agent in the environment of a DaemonSet's pod, with a token that is bound to its pod and node. */
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
    const { cluster, node } = options;
    const account = await mkdtemp(path.join(tmpdir(), "account-"));
    await chmod(account, 0o755);
    const pod = await createPod(cluster, node);
    await replaceFile(path.join(account, "ca.crt"), cluster.ca);
    await replaceFile(path.join(account, "namespace"), NAMESPACE);
    await replaceFile(path.join(account, "token"), await tokenOf(cluster, pod));
    return new AgentPod(options, account, pod, startContainer(options, account, pod));
  }

  get podUid(): string {
    return this.#pod.uid;
  }

  /** Kills the container and starts it again in the same pod, as the kubelet does, also without the API server. */
  async restart(): Promise<AgentPod> {
    this.signal("SIGKILL");
    await this.exit();
    const child = startContainer(this.#options, this.#account, this.#pod);
    return new AgentPod(this.#options, this.#account, this.#pod, child);
  }

  /** Returns its connections to unix sockets, which are those to libvirt. */
  async unixConnections(): Promise<number> {
    const table = await readFile(`/proc/${this.pid}/net/unix`, "utf8");
    const inodes = new Set(table.split("\n").map((line) => `socket:[${line.split(/\s+/)[6] ?? ""}]`));
    // Those of its standard streams belong to the test.
    const fds = (await readdir(`/proc/${this.pid}/fd`)).filter((fd) => Number(fd) > 2);
    const open = await Promise.all(fds.map((fd) => readlink(`/proc/${this.pid}/fd/${fd}`).catch(() => "")));
    return open.filter((target) => inodes.has(target)).length;
  }

  /** Revokes the token by deleting the pod in the API; the process stays. */
  async revokeToken(): Promise<void> {
    await deletePod(this.#options.cluster, this.#pod);
  }

  /** Renews the token, as the kubelet does long before it expires. */
  async renewToken(): Promise<void> {
    this.#pod = await createPod(this.#options.cluster, this.#options.node);
    await replaceFile(path.join(this.#account, "token"), await tokenOf(this.#options.cluster, this.#pod));
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    await rm(this.#account, { recursive: true, force: true });
  }
}

/** Starts the agent in a container of this pod. */
function startContainer(options: AgentPodOptions, account: string, pod: PodObject): ChildProcess {
  const {
    cluster,
    node,
    podsDir,
    identity = "launcher",
    env = {},
    command: agent = AGENT_COMMAND,
    through = [],
  } = options;
  const { hostname, port } = new URL(cluster.url);
  const command = [...agent, "--node-name", node, "--pods-dir", MOUNT];
  const [program = "", ...args] = [...through, "unshare", "--mount", "sh", "-c", CONTAINER, "sh", ...command];
  return spawn(program, args, {
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

/** Replaces a file in one step. */
async function replaceFile(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}
