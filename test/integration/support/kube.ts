import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { kubernetesPath, type KubernetesProgram } from "../../../scripts/provision/cache.ts";
import { auditFlags } from "./audit-log.ts";
import { KubeApi } from "./kube-api.ts";
import { KUBELET_CLIENT, KubeFiles } from "./kube-files.ts";
import { end, freePort, run, until } from "./process.ts";

const CUSTOM_KINDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/** Lists that a starting API server rejects longest, with 429 or 503, although it reports ready. */
const FIRST_LISTS = [
  "/api/v1/namespaces",
  "/api/v1/nodes",
  "/api/v1/pods",
  "/api/v1/secrets",
  "/api/v1/serviceaccounts",
  "/apis/rbac.authorization.k8s.io/v1/clusterroles",
  CUSTOM_KINDS,
];

/** A long limit, for two busy cores. */
const START_MS = 180_000;

/** It rejects pods until the controllers have created their service account, and tests without nodes start no controllers. */
const WITHOUT_SERVICE_ACCOUNTS = ["--disable-admission-plugins=ServiceAccount"];

/** A network with real nodes, whose kubelets and pods reach the API server. */
export interface NodeNetwork {
  /** The address of the API server, and of the service `kubernetes`, because there is no kube-proxy. */
  readonly serviceAddress: string;
  /** Its first address is the one above. */
  readonly serviceRange: string;
  /** Names of the nodes whose kubelets may join. */
  readonly nodes: readonly string[];
  /** Where the control plane has its directory. */
  readonly directory: string;
}

export interface KubeOptions {
  /** Controllers delete garbage, and create service accounts and the pods of DaemonSets; most tests do not need them. */
  readonly controllers?: boolean;
  /** Without it no container runs: tests create Node and Pod objects. */
  readonly network?: NodeNetwork;
}

/** This machine's NO_PROXY with the addresses of networks with nodes. */
export const NO_PROXY = [process.env["NO_PROXY"] ?? process.env["no_proxy"] ?? [], "198.18.0.0/15"].flat().join(",");

/** A real Kubernetes control plane on this machine, with its own directory and ports. */
export class KubeCluster extends KubeApi implements AsyncDisposable {
  /** A file with the address, the authority and the administrator's token. */
  readonly kubeconfig: string;
  readonly #files: KubeFiles;
  readonly #etcdUrl: string;
  readonly #network: NodeNetwork | undefined;
  readonly #children = new Map<KubernetesProgram, ChildProcess>();

  private constructor(files: KubeFiles, ca: string, token: string, etcdUrl: string, network?: NodeNetwork) {
    super(files.url, ca, token);
    this.#files = files;
    this.#etcdUrl = etcdUrl;
    this.#network = network;
    this.kubeconfig = files.path("admin.kubeconfig");
  }

  static async start({ controllers = false, network }: KubeOptions = {}): Promise<KubeCluster> {
    const [etcd, peer] = [await freePort(), await freePort()];
    // A service has the port 443, and without kube-proxy it is the server's own.
    const url = network ? `https://${network.serviceAddress}` : `https://127.0.0.1:${await freePort()}`;
    const files = new KubeFiles(await mkdtemp(path.join(network?.directory ?? tmpdir(), "kube-")), url);
    const token = randomUUID();
    const ca = await files.write(token, network?.nodes ?? []);
    const cluster = new KubeCluster(files, ca, token, `http://127.0.0.1:${etcd}`, network);
    try {
      await cluster.#startEtcd(`http://127.0.0.1:${peer}`);
      await cluster.startApiServer();
      if (controllers) await cluster.#startControllers();
      if (network) await cluster.#startScheduler();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts the API server, or restarts it on its port, and waits until it serves everything. */
  async startApiServer(): Promise<void> {
    const { hostname, port } = new URL(this.url);
    await this.#start(
      "kube-apiserver",
      [
        `--etcd-servers=${this.#etcdUrl}`,
        `--bind-address=${hostname}`,
        `--advertise-address=${hostname}`,
        `--secure-port=${port || "443"}`,
        `--cert-dir=${this.#files.directory}`,
        `--tls-cert-file=${this.#file("apiserver.crt")}`,
        `--tls-private-key-file=${this.#file("apiserver.key")}`,
        `--client-ca-file=${this.#file("ca.crt")}`,
        `--token-auth-file=${this.#file("tokens.csv")}`,
        `--service-account-issuer=${this.url}`,
        `--service-account-signing-key-file=${this.#file("service-accounts.key")}`,
        `--service-account-key-file=${this.#file("service-accounts.crt")}`,
        `--service-cluster-ip-range=${this.#network?.serviceRange ?? "10.0.0.0/24"}`,
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction,OwnerReferencesPermissionEnforcement",
        ...(this.#network ? [...this.#kubeletFlags(), ...auditFlags(this.directory)] : WITHOUT_SERVICE_ACCOUNTS),
        "--allow-privileged=true",
        "--endpoint-reconciler-type=none",
      ],
      async () => {
        await this.call("GET", "/readyz");
        for (const list of FIRST_LISTS) await this.call("GET", `${list}?limit=1`);
        return true;
      },
    );
    await this.#customKindsServed();
  }

  /** Kills the API server: open watches break. The data stays. */
  async killApiServer(): Promise<void> {
    await this.#kill("kube-apiserver");
  }

  /** Stops the API server's process: it keeps its connections and answers nothing. */
  freezeApiServer(): void {
    this.#children.get("kube-apiserver")?.kill("SIGSTOP");
  }

  thawApiServer(): void {
    this.#children.get("kube-apiserver")?.kill("SIGCONT");
  }

  /** Compacts etcd: older resource versions are gone afterwards. */
  async compact(): Promise<void> {
    const { header } = (await this.#etcd("/v3/maintenance/status", {})) as { header: { revision: string } };
    await this.#etcd("/v3/kv/compaction", { revision: header.revision, physical: true });
  }

  kubectl(...args: string[]): Promise<string> {
    const own = ["--kubeconfig", this.kubeconfig, "--cache-dir", this.#file("kubectl-cache")];
    return run("env", `NO_PROXY=${NO_PROXY}`, kubernetesPath("kubectl"), ...own, ...args);
  }

  /** Applies objects in YAML. Custom kinds among them are served when this resolves. */
  async apply(yaml: string): Promise<void> {
    const file = this.#file(`${randomUUID()}.yaml`);
    await writeFile(file, yaml);
    const applied = await this.kubectl("apply", "--output", "name", "--filename", file);
    if (applied.includes("customresourcedefinition")) await this.#customKindsServed();
  }

  /** Creates a token as the kubelet does for a pod; a bound token ends with its pod and names the pod's node. */
  async createServiceAccountToken(
    namespace: string,
    serviceAccount: string,
    { boundPod }: { readonly boundPod?: string } = {},
  ): Promise<string> {
    const boundObjectRef = boundPod === undefined ? undefined : { apiVersion: "v1", kind: "Pod", name: boundPod };
    const { status } = await this.call(
      "POST",
      `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`,
      { body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { boundObjectRef } } },
    );
    return (status as { readonly token: string }).token;
  }

  /** Removed at the end. */
  get directory(): string {
    return this.#files.directory;
  }

  /** Returns a file of the authority's certificate. */
  get caFile(): string {
    return this.#file("ca.crt");
  }

  /** Returns a kubeconfig file for the kubelet of a node of the network. */
  kubeconfigOfNode(node: string): string {
    return this.#file(`${node}.kubeconfig`);
  }

  /** Writes a kubeconfig file for a service account. */
  async kubeconfigOf(namespace: string, serviceAccount: string): Promise<string> {
    const token = await this.createServiceAccountToken(namespace, serviceAccount);
    return this.#files.writeKubeconfig(serviceAccount, token, namespace);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Killed, because no data is kept, and after SIGTERM an API server waits a minute for its watches.
    for (const program of [...this.#children.keys()].reverse()) await this.#kill(program);
    await rm(this.#files.directory, { recursive: true, force: true, maxRetries: 5 });
  }

  async #startEtcd(peerUrl: string): Promise<void> {
    await this.#start(
      "etcd",
      [
        `--data-dir=${this.#file("etcd")}`,
        `--listen-client-urls=${this.#etcdUrl}`,
        `--advertise-client-urls=${this.#etcdUrl}`,
        `--listen-peer-urls=${peerUrl}`,
        `--initial-advertise-peer-urls=${peerUrl}`,
        `--initial-cluster=default=${peerUrl}`,
        // A test does not need to survive a power failure.
        "--unsafe-no-fsync",
        "--log-level=warn",
      ],
      () => this.#etcd("/v3/maintenance/status", {}),
    );
  }

  async #startControllers(): Promise<void> {
    await this.#start(
      "kube-controller-manager",
      [
        ...this.#kubeconfigFlags(),
        `--service-account-private-key-file=${this.#file("service-accounts.key")}`,
        `--root-ca-file=${this.#file("ca.crt")}`,
        "--leader-elect=false",
        "--use-service-account-credentials=true",
        "--secure-port=0",
        // It creates this directory, by default in /usr/libexec.
        `--flex-volume-plugin-dir=${this.#file("volume-plugins")}`,
      ],
      () => this.call("GET", "/api/v1/namespaces/default/serviceaccounts/default"),
    );
  }

  async #startScheduler(): Promise<void> {
    const role = ["clusterrolebinding", KUBELET_CLIENT, "--clusterrole=system:kubelet-api-admin"];
    await this.kubectl("create", ...role, `--user=${KUBELET_CLIENT}`);
    const flags = [...this.#kubeconfigFlags(), "--leader-elect=false", "--secure-port=0"];
    await this.#start("kube-scheduler", flags, () => Promise.resolve());
  }

  #kubeconfigFlags(): readonly string[] {
    return ["", "authentication-", "authorization-"].map((of) => `--${of}kubeconfig=${this.kubeconfig}`);
  }

  #kubeletFlags(): readonly string[] {
    return [
      `--kubelet-client-certificate=${this.#file(`${KUBELET_CLIENT}.crt`)}`,
      `--kubelet-client-key=${this.#file(`${KUBELET_CLIENT}.key`)}`,
      "--kubelet-preferred-address-types=InternalIP",
    ];
  }

  /** Waits until a custom kind is served and known to kubectl, a moment after its definition or the server's start. */
  async #customKindsServed(): Promise<void> {
    const { items = [] } = await this.call("GET", CUSTOM_KINDS);
    for (const { metadata } of items)
      await until(() => this.kubectl("get", metadata.name, "--all-namespaces", "--output", "name"), metadata.name);
  }

  /** Calls etcd through its gateway from JSON to gRPC. */
  async #etcd(call: string, body: object): Promise<unknown> {
    const response = await fetch(this.#etcdUrl + call, { method: "POST", body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`etcd answered ${response.status}: ${await response.text()}`);
    return response.json();
  }

  async #start(program: KubernetesProgram, args: readonly string[], ask: () => Promise<unknown>): Promise<void> {
    const log = openSync(this.#file(`${program}.log`), "a");
    // The program ends with the test, even if the test is killed.
    const command = ["--pdeathsig", "KILL", kubernetesPath(program), ...args];
    const child = spawn("setpriv", command, { stdio: ["ignore", log, log], env: { ...process.env, NO_PROXY } });
    closeSync(log);
    this.#children.set(program, child);
    const hasEnded = async (): Promise<boolean> => {
      if (child.exitCode !== null) return true;
      await ask();
      return false;
    };
    try {
      if (await until(hasEnded, `${program} to answer`, START_MS)) throw new Error(`exit code ${child.exitCode ?? ""}`);
    } catch (error) {
      const text = await readFile(this.#file(`${program}.log`), "utf8");
      throw new Error(`${program} does not answer; its log ends with: ${text.slice(-2_000)}`, { cause: error });
    }
  }

  async #kill(program: KubernetesProgram): Promise<void> {
    const child = this.#children.get(program);
    this.#children.delete(program);
    if (child !== undefined) await end(child, "SIGKILL");
  }

  #file(name: string): string {
    return this.#files.path(name);
  }
}
