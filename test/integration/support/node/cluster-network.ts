import { spawn, type ChildProcess } from "node:child_process";
import { readlinkSync } from "node:fs";
import { end, run, until } from "../process.ts";

/** Addresses of a node. */
export interface NodeAddresses {
  readonly address: string;
  /** Of its pods. */
  readonly podRange: string;
}

/** Clusters that can exist at the same time on one machine, and nodes of a cluster: what the addresses have room for. */
const CLUSTERS = 256;
const NODES = 3;

/**
 * A network of nodes and their pods, which this machine can reach and which can reach this machine. Its addresses are from the
 * range for tests of networks (RFC 2544), that no network should use: 198.18.N.0/24 for nodes, 198.19.N.0/24 for services and
 * pods. It is a bridge in a network namespace, so the kernel removes it with the process that holds the namespace.
 */
export class ClusterNetwork implements AsyncDisposable {
  /** Also the name of this machine's device; no other cluster has it at this moment. */
  readonly name: string;
  readonly #number: number;
  readonly #holder: ChildProcess;

  private constructor(number: number, holder: ChildProcess) {
    this.#number = number;
    this.name = nameOf(number);
    this.#holder = holder;
  }

  static async create(): Promise<ClusterNetwork> {
    const holder = spawn("setpriv", ["--pdeathsig", "KILL", "unshare", "--net", "sleep", "infinity"], {
      stdio: "ignore",
    });
    try {
      const pid = await namespaceOf(holder);
      const network = new ClusterNetwork(await claimDevice(pid), holder);
      await network.#configure(pid);
      return network;
    } catch (error) {
      await end(holder, "SIGKILL");
      throw error;
    }
  }

  /** This machine's address for nodes and pods. */
  get hostAddress(): string {
    return `198.18.${this.#number}.254`;
  }

  get serviceAddress(): string {
    return `198.19.${this.#number}.1`;
  }

  get serviceRange(): string {
    return `198.19.${this.#number}.0/28`;
  }

  /** Returns the addresses of the node with this number, from 0 on. */
  node(index: number): NodeAddresses {
    if (index >= NODES) throw new Error(`a network has addresses for ${NODES} nodes`);
    return {
      address: `198.18.${this.#number}.${index + 10}`,
      podRange: `198.19.${this.#number}.${(index + 1) * 64}/26`,
    };
  }

  /** Connects the network namespace of a process; it is a node's. The connection ends with the namespace. */
  async attach(pid: number, index: number): Promise<void> {
    const { address, podRange } = this.node(index);
    const holder = this.#pid;
    const port = `node${index}`;
    // The kernel removes the devices of a namespace some time after its last process: those of a node that lost power.
    await inside(holder, `ip link delete ${port} 2> /dev/null || true`);
    await inside(
      holder,
      `ip link add ${port} type veth peer name eth0 netns ${pid}; ip link set ${port} master lan up`,
    );
    await inside(
      pid,
      `ip link set lo up; ip address add ${address}/24 dev eth0; ip link set eth0 up
      ip route add default via ${this.#gateway}; ${FORWARD}`,
    );
    await inside(holder, `ip route replace ${podRange} via ${address}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#holder, "SIGKILL");
    // The kernel removes a namespace and its devices a moment after its last process.
    await until(
      () =>
        run("ip", "link", "show", this.name).then(
          () => undefined,
          () => true,
        ),
      `the device ${this.name} to go`,
    );
  }

  async #configure(holder: number): Promise<void> {
    await inside(
      holder,
      `ip link set lo up; ip link add lan type bridge; ip link set lan up; ip link set host master lan up
      ip address add ${this.#gateway}/24 dev lan; ip route add ${this.serviceAddress} via ${this.hostAddress}; ${FORWARD}`,
    );
    for (const args of [
      ["address", "add", `${this.hostAddress}/24`, "dev", this.name],
      ["address", "add", `${this.serviceAddress}/32`, "dev", this.name],
      ["link", "set", this.name, "up"],
      ["route", "add", `198.19.${this.#number}.0/24`, "via", this.#gateway],
    ])
      await run("ip", ...args);
  }

  get #gateway(): string {
    return `198.18.${this.#number}.1`;
  }

  get #pid(): number {
    if (this.#holder.pid === undefined) throw new Error("the network has ended");
    return this.#holder.pid;
  }
}

const FORWARD = "echo 1 > /proc/sys/net/ipv4/ip_forward";

function nameOf(number: number): string {
  return `kt${number}`;
}

/** Runs commands in the network namespace of a process. */
async function inside(pid: number, commands: string): Promise<void> {
  await run("nsenter", `--net=/proc/${pid}/ns/net`, "sh", "-ec", commands);
}

/** Resolves to the process's pid when it has its own network namespace. */
async function namespaceOf({ pid }: ChildProcess): Promise<number> {
  if (pid === undefined) throw new Error("cannot start setpriv or unshare of util-linux");
  const ours = readlinkSync("/proc/self/ns/net");
  return until(
    () => Promise.resolve(readlinkSync(`/proc/${pid}/ns/net`) === ours ? undefined : pid),
    "a network namespace",
  );
}

/** Creates this machine's device of the network; resolves to its number. Two devices cannot have one name. */
async function claimDevice(holder: number): Promise<number> {
  for (let number = 0; number < CLUSTERS; number++) {
    try {
      await run("ip", "link", "add", nameOf(number), "type", "veth", "peer", "name", "host", "netns", String(holder));
      return number;
    } catch (error) {
      if (!String(error).includes("File exists")) throw error;
    }
  }
  throw new Error(`this machine has ${CLUSTERS} clusters already: ip link show type veth`);
}
