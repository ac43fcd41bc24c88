import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { kubernetesPath, type KubernetesProgram } from "../../../scripts/provision/cache.ts";
import { CertificateAuthority } from "../../support/certificates.ts";
import { KubeApi } from "./kube-api.ts";
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

/**
 * A real Kubernetes control plane on this machine, with its own directory and ports. It has no kubelets: tests create Node and
 * Pod objects, and no container runs.
 */
export class KubeCluster extends KubeApi implements AsyncDisposable {
  /** A file with the address, the authority and the administrator's token. */
  readonly kubeconfig: string;
  readonly #dir: string;
  readonly #etcdUrl: string;
  readonly #children = new Map<KubernetesProgram, ChildProcess>();

  private constructor(url: string, ca: string, token: string, dir: string, etcdUrl: string) {
    super(url, ca, token);
    this.#dir = dir;
    this.#etcdUrl = etcdUrl;
    this.kubeconfig = path.join(dir, "kubeconfig");
  }

  /** Controllers delete garbage, and create service accounts and the pods of DaemonSets; most tests do not need them. */
  static async start({ controllers = false } = {}): Promise<KubeCluster> {
    const dir = await mkdtemp(path.join(tmpdir(), "kube-"));
    using authority = new CertificateAuthority("kubernetes");
    const token = randomUUID();
    const [api, etcd, peer] = [await freePort(), await freePort(), await freePort()];
    const cluster = new KubeCluster(`https://127.0.0.1:${api}`, authority.cert, token, dir, `http://127.0.0.1:${etcd}`);
    try {
      await cluster.#writeFiles(authority, token);
      await cluster.#startEtcd(`http://127.0.0.1:${peer}`);
      await cluster.startApiServer();
      if (controllers) await cluster.#startControllers();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts the API server, or restarts it on its port, and waits until it serves everything. */
  async startApiServer(): Promise<void> {
    const port = new URL(this.url).port;
    await this.#start(
      "kube-apiserver",
      [
        `--etcd-servers=${this.#etcdUrl}`,
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        `--secure-port=${port}`,
        `--cert-dir=${this.#dir}`,
        `--tls-cert-file=${this.#file("apiserver.crt")}`,
        `--tls-private-key-file=${this.#file("apiserver.key")}`,
        `--client-ca-file=${this.#file("ca.crt")}`,
        `--token-auth-file=${this.#file("tokens.csv")}`,
        `--service-account-issuer=${this.url}`,
        `--service-account-signing-key-file=${this.#file("service-accounts.key")}`,
        `--service-account-key-file=${this.#file("service-accounts.crt")}`,
        "--service-cluster-ip-range=10.0.0.0/24",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction,OwnerReferencesPermissionEnforcement",
        // It rejects pods until the controllers have created their service account.
        "--disable-admission-plugins=ServiceAccount",
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
    return run(kubernetesPath("kubectl"), ...own, ...args);
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

  /** Writes a kubeconfig file for a service account. */
  async kubeconfigOf(namespace: string, serviceAccount: string): Promise<string> {
    const file = this.#file(`${serviceAccount}.kubeconfig`);
    const token = await this.createServiceAccountToken(namespace, serviceAccount);
    await writeFile(file, this.#kubeconfig(token, namespace), { mode: 0o600 });
    return file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Killed, because no data is kept, and after SIGTERM an API server waits a minute for its watches.
    for (const program of [...this.#children.keys()].reverse()) await this.#kill(program);
    await rm(this.#dir, { recursive: true, force: true, maxRetries: 5 });
  }

  async #writeFiles(authority: CertificateAuthority, token: string): Promise<void> {
    const server = authority.issue("apiserver", "IP:127.0.0.1");
    const serviceAccounts = authority.issue("service-accounts", "DNS:service-accounts");
    const files = {
      "ca.crt": authority.cert,
      "apiserver.crt": server.cert,
      "apiserver.key": server.key,
      "service-accounts.crt": serviceAccounts.cert,
      "service-accounts.key": serviceAccounts.key,
      "tokens.csv": `${token},admin,admin,system:masters\n`,
      kubeconfig: this.#kubeconfig(token, "default"),
    };
    for (const [name, text] of Object.entries(files)) await writeFile(this.#file(name), text, { mode: 0o600 });
  }

  #kubeconfig(token: string, namespace: string): string {
    const user = { name: "test", user: { token } };
    const cluster = { name: "test", cluster: { server: this.url, "certificate-authority": this.#file("ca.crt") } };
    const context = { name: "test", context: { cluster: cluster.name, user: user.name, namespace } };
    return JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [cluster],
      users: [user],
      contexts: [context],
      "current-context": context.name,
    });
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
    const kubeconfigs = ["", "authentication-", "authorization-"].map((of) => `--${of}kubeconfig=${this.kubeconfig}`);
    await this.#start(
      "kube-controller-manager",
      [
        ...kubeconfigs,
        `--service-account-private-key-file=${this.#file("service-accounts.key")}`,
        `--root-ca-file=${this.#file("ca.crt")}`,
        "--leader-elect=false",
        "--use-service-account-credentials=true",
        "--secure-port=0",
      ],
      () => this.call("GET", "/api/v1/namespaces/default/serviceaccounts/default"),
    );
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
    const child = spawn(kubernetesPath(program), args, { stdio: ["ignore", log, log] });
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
    return path.join(this.#dir, name);
  }
}
