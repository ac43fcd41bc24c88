import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { containerdPath, kubernetesPath } from "../../../../scripts/provision/cache.ts";
import type { KubeCluster } from "../kube.ts";
import type { ApiObject } from "../kube-api.ts";
import { run, until } from "../process.ts";
import type { ClusterNetwork } from "./cluster-network.ts";
import { createControlGroup, removeControlGroup } from "./control-groups.ts";
import { nodeFiles } from "./node-files.ts";

/**
 * The first process of a node. It gives the node a disk of its own at /var/lib and /var/log and an empty /run, and then waits for
 * processes without a parent. Mounts of pods stay in its namespace.
 */
const INIT = `set -e
mount --make-rshared /
hostname "$NODE"
mkdir -p "$DISK/var/lib" "$DISK/var/log"
mount --bind "$DISK/var/lib" /var/lib
mount --bind "$DISK/var/log" /var/log
mount -t tmpfs -o mode=755 tmpfs /run
# The kubelet sets these of the whole machine. It gets files instead.
mkdir /run/sysctl
for file in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys \\
  kernel/keys/root_maxbytes; do
  [ -e "/proc/sys/$file" ] || continue
  cat "/proc/sys/$file" > "/run/sysctl/\${file##*/}"
  mount --bind "/run/sysctl/\${file##*/}" "/proc/sys/$file"
done
mount --make-rshared /
echo ready
while :; do sleep infinity & wait; done
`;

/** A long limit, for two busy cores. */
const READY_MS = 120_000;

export interface NodeOptions {
  readonly cluster: KubeCluster;
  readonly network: ClusterNetwork;
  readonly name: string;
  /** Its number in the network, from 0 on. */
  readonly index: number;
  /** Directory of the node's disk, files and logs. */
  readonly directory: string;
  /** A control group, as a path below the root of every hierarchy. */
  readonly cgroupRoot: string;
  /** Image archives that the node has from the beginning. */
  readonly images: readonly string[];
}

/** A real node: containerd and a kubelet in namespaces of their own. All its processes end when the test ends, even by a signal. */
export class KubeNode implements AsyncDisposable {
  readonly name: string;
  readonly #options: NodeOptions;
  readonly #programs = new Map<string, ChildProcess>();
  #unshare: ChildProcess | undefined;
  /** Undefined while the node is off. */
  #pid: number | undefined;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.name = options.name;
  }

  /** The node's first process. `/proc/PID/root` is its file system with the mounts of its pods. */
  get pid(): number {
    if (this.#pid === undefined) throw new Error(`the node ${this.name} is off`);
    return this.#pid;
  }

  /** The kubelet's directory of pods, seen from this machine: with the files of volumes on the disk, without mounts. */
  get podsDir(): string {
    return path.join(this.#disk, "var/lib/kubelet/pods");
  }

  /** Starts the node, for the first time or after a loss of power, and waits until it is Ready. */
  async powerOn(): Promise<void> {
    const { network, index, directory, images } = this.#options;
    await this.#writeFiles();
    await createControlGroup(this.#options.cgroupRoot);
    await this.#boot();
    await network.attach(this.pid, index);
    const since = Date.now();
    await this.startContainerd();
    for (const image of images) await this.importImage(image);
    this.startKubelet();
    await until(
      () => this.#isReady(since),
      `the node ${this.name} to be Ready; its logs are in ${directory}`,
      READY_MS,
    );
  }

  /** Ends every process of the node at once. What it wrote to its disk stays, as far as the machine's cache is concerned. */
  async losePower(): Promise<void> {
    const unshare = this.#unshare;
    if (unshare === undefined) return;
    const children = [unshare, ...this.#programs.values()];
    const pid = this.#pid;
    this.#programs.clear();
    this.#unshare = undefined;
    this.#pid = undefined;
    const gone = Promise.all(children.map(exitOf));
    // The kernel kills the other processes of its namespace with it, and the commands that started them see their end.
    if (pid !== undefined) killIfThere(pid);
    // The first process is not known if the node did not start. It ends with this one.
    else unshare.kill("SIGKILL");
    await gone;
    // Those of a machine do not survive either, and a kubelet waits three seconds for each that has no container.
    await removeControlGroup(this.#options.cgroupRoot);
  }

  /** Imports a docker archive. */
  async importImage(archive: string): Promise<void> {
    await this.run(
      "ctr",
      "--namespace",
      "k8s.io",
      "images",
      "import",
      "--snapshotter",
      await this.#snapshotter(),
      archive,
    );
  }

  async startContainerd(): Promise<void> {
    this.startProgram("containerd", ["containerd", "--config", this.#file("containerd.toml")]);
    await until(() => this.run("ctr", "version"), "containerd to answer", READY_MS);
  }

  startKubelet(): void {
    const { cluster, network, index } = this.#options;
    this.startProgram("kubelet", [
      kubernetesPath("kubelet"),
      `--config=${this.#file("kubelet.yaml")}`,
      `--kubeconfig=${cluster.kubeconfigOfNode(this.name)}`,
      `--hostname-override=${this.name}`,
      `--node-ip=${network.node(index).address}`,
      `--cert-dir=${this.#file("pki")}`,
    ]);
  }

  /** Starts a program in the node's namespaces, with a log of its name in the node's directory. It ends with the node. */
  startProgram(name: string, command: readonly string[]): void {
    const [program = "", ...args] = this.#inside(command);
    const log = openSync(this.#file(`${name}.log`), "a");
    this.#programs.set(name, spawn(program, args, { stdio: ["ignore", log, log] }));
    closeSync(log);
  }

  /** Ends a program of the node; containers go on. */
  async stop(program: "containerd" | "kubelet"): Promise<void> {
    const child = this.#programs.get(program);
    if (child?.pid === undefined) return;
    this.#programs.delete(program);
    const gone = exitOf(child);
    process.kill(await onlyChild(child.pid), "SIGTERM");
    await gone;
  }

  /** Runs a program in the node's namespaces; resolves to its output. */
  run(...command: readonly string[]): Promise<string> {
    const [program = "", ...args] = this.#inside(command);
    return run(program, ...args);
  }

  /** Ends the node, and removes it from the cluster while there is one. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.losePower();
    await this.#options.cluster.request("DELETE", `/api/v1/nodes/${this.name}`).catch(() => undefined);
  }

  async #writeFiles(): Promise<void> {
    const { cluster, network, index, directory } = this.#options;
    const settings = {
      podRange: network.node(index).podRange,
      cgroupRoot: this.#options.cgroupRoot,
      caFile: cluster.caFile,
      directory,
      snapshotter: await this.#snapshotter(),
    };
    for (const [name, text] of Object.entries(nodeFiles(settings))) {
      await mkdir(path.dirname(this.#file(name)), { recursive: true });
      await writeFile(this.#file(name), text);
    }
  }

  async #boot(): Promise<void> {
    const namespaces = ["--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"];
    const log = openSync(this.#file("init.log"), "a");
    const unshare = spawn("setpriv", ["--pdeathsig", "KILL", "unshare", ...namespaces, "bash", "-c", INIT], {
      stdio: ["ignore", "pipe", log],
      env: { PATH: process.env["PATH"], NODE: this.name, DISK: this.#disk },
    });
    closeSync(log);
    this.#unshare = unshare;
    const { pid, stdout } = unshare;
    const isReady = await new Promise<boolean>((resolve, reject) => {
      unshare.once("error", reject);
      stdout?.once("data", () => {
        resolve(true);
      });
      stdout?.once("end", () => {
        resolve(false);
      });
    });
    if (pid === undefined || !isReady)
      throw new Error(`the node ${this.name} does not start: ${await readFile(this.#file("init.log"), "utf8")}`);
    this.#pid = await onlyChild(pid);
  }

  /** A kubelet reports each time anew, so an old report of a node that was off does not count. */
  async #isReady(since: number): Promise<true | undefined> {
    const { status } = (await this.#options.cluster.call("GET", `/api/v1/nodes/${this.name}`)) as NodeObject;
    const ready = status.conditions.find(({ type }) => type === "Ready");
    if (ready?.status !== "True") return undefined;
    return Date.parse(ready.lastHeartbeatTime) >= since - 1_000 ? true : undefined;
  }

  async #snapshotter(): Promise<"overlayfs" | "native"> {
    const type = await run("stat", "--file-system", "--format", "%T", this.#options.directory);
    return type.trim() === "overlayfs" ? "native" : "overlayfs";
  }

  #inside(command: readonly string[]): readonly string[] {
    const target = ["--target", String(this.pid), "--mount", "--net", "--uts", "--ipc", "--pid"];
    const PATH = `${containerdPath("usr/bin")}:${containerdPath("usr/sbin")}:/usr/sbin:/usr/bin:/sbin:/bin`;
    return ["nsenter", ...target, "env", "--ignore-environment", `PATH=${PATH}`, ...command];
  }

  get #disk(): string {
    return path.join(this.#options.directory, "disk");
  }

  #file(name: string): string {
    return path.join(this.#options.directory, name);
  }
}

interface NodeObject extends ApiObject {
  readonly status: {
    readonly conditions: readonly {
      readonly type: string;
      readonly status: string;
      readonly lastHeartbeatTime: string;
    }[];
  };
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

async function exitOf(child: ChildProcess): Promise<void> {
  const runs = child.pid !== undefined && child.exitCode === null && child.signalCode === null;
  if (runs) await once(child, "exit");
}

/** Resolves to the child of a process that has one. */
async function onlyChild(pid: number): Promise<number> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  const child = Number.parseInt(children, 10);
  if (Number.isNaN(child)) throw new Error(`the process ${pid} has no child`);
  return child;
}
