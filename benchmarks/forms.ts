import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Sink } from "../scripts/demo/sink.ts";
import { SimulatedHost } from "../src/simulator/simulated-host.ts";
import { SimulatorServer } from "../src/simulator/server.ts";
import { AgentPod } from "../test/integration/support/agent-pod.ts";
import { RunningAgent, target1, type AgentConfig } from "../test/integration/support/agent.ts";
import type { KubeCluster } from "../test/integration/support/kube.ts";
import { freePort } from "../test/integration/support/process.ts";
import { SimulatedNode } from "../test/integration/support/simulated-node.ts";
import { applyConfig, target } from "../test/integration/support/telemetry-config.ts";
import { startTelemetryCluster } from "../test/integration/support/telemetry-cluster.ts";
import { applyVmi } from "../test/integration/support/vmi.ts";
import { imageEnv, imageNodeArgs } from "./image.ts";
import { MemoryGroup } from "./memory-group.ts";

/** How an agent is deployed: with the status port and the spool on disk, except in the form `bare`. */
export type Form = "bare" | "standalone" | "cluster" | "idle";

export const FORM_NAMES: Readonly<Record<Form, string>> = {
  bare: "standalone, port and spool off",
  standalone: "standalone",
  cluster: "cluster, a launcher for each domain",
  idle: "cluster, no configuration",
};

/** A directory with the sources of a commit and their bundle. */
export interface Checkout {
  readonly name: string;
  readonly directory: string;
}

/** An agent in one of the forms. */
export interface FormAgent {
  readonly checkout: Checkout;
  readonly form: Form;
  readonly domains: number;
  readonly pid: number;
  readonly group: MemoryGroup | undefined;
  /** Cycles that have been delivered. */
  readonly cycles: () => number;
  setInterval(interval: string): Promise<void>;
}

const SHAPE = { nics: 2, disks: 3, seed: 1 };
const NAMESPACE = "bench";
const FIRST_VM = "vm-001";

/** Starts agents in their forms. Everything that they need is shared where a node shares it, and is disposed with `resources`. */
export class FormStarter {
  readonly #resources: AsyncDisposableStack;
  #cluster: Promise<KubeCluster> | undefined;
  #nodes = 0;

  constructor(resources: AsyncDisposableStack) {
    this.#resources = resources;
  }

  start(checkout: Checkout, form: Form, domains: number, interval: string): Promise<FormAgent> {
    const about = { checkout, form, domains, interval };
    return form === "bare" || form === "standalone" ? this.#standalone(about) : this.#inCluster(about);
  }

  async #standalone({ interval, ...about }: About): Promise<FormAgent> {
    const { checkout, form, domains } = about;
    const sink = await this.#sink();
    const directory = await this.#directory();
    const socket = path.join(directory, "socket");
    this.#resources.use(await SimulatorServer.start(socket, SimulatedHost.of(domains, SHAPE)));
    const config = (interval: string): AgentConfig => ({
      interval,
      targets: target1({ ...sink, database: "telemetry" }),
    });
    const group = this.#group();
    const deployed = form === "standalone" ? await portAndSpool(directory) : {};
    const agent = this.#resources.use(
      await RunningAgent.start({
        ...config(interval),
        sockets: [socket],
        args: ["--log-level", "warn"],
        nodeArgs: imageNodeArgs(checkout.directory),
        bundle: bundleOf(checkout),
        env: { ...imageEnv(checkout.directory), ...deployed },
        through: group?.command ?? [],
      }),
    );
    const setInterval = async (interval: string): Promise<void> => {
      await agent.writeConfig(config(interval));
      agent.signal("SIGHUP");
    };
    return { ...about, pid: agent.pid, group, cycles: () => sink.cycles, setInterval };
  }

  async #inCluster({ interval, ...about }: About): Promise<FormAgent> {
    const { checkout, form, domains } = about;
    const cluster = await (this.#cluster ??= startTelemetryCluster().then((cluster) => this.#resources.use(cluster)));
    const sink = await this.#sink();
    const node = `node-${this.#nodes++}`;
    const metadata = { name: node, labels: { bench: node } };
    await cluster.call("POST", "/api/v1/nodes", { body: { apiVersion: "v1", kind: "Node", metadata } });
    const names = Array.from({ length: domains }, (_, index) => `vm-${String(index + 1).padStart(3, "0")}`);
    const launchers = this.#resources.use(
      // A launcher's libvirt has no cgroups to read.
      await SimulatedNode.start(
        Object.fromEntries(names.map((name, index) => [`${NAMESPACE}-${node}_${name}`, index + 1])),
        { shape: SHAPE, cgroups: false },
      ),
    );
    for (const [index, name] of names.entries())
      await applyVmi(cluster, {
        namespace: `${NAMESPACE}-${node}`,
        name,
        labels: { app: "bench" },
        node,
        pods: { [`pod-${index + 1}`]: node },
      });
    const setInterval = (interval: string): Promise<void> =>
      applyConfig(cluster, node, {
        nodeSelector: { matchLabels: { bench: node } },
        collection: { interval },
        targets: [target({ ...sink, database: "telemetry" })],
      });
    if (form !== "idle") await setInterval(interval);
    const group = this.#group();
    const directory = await this.#directory();
    const deployed = await portAndSpool(directory);
    const agent = this.#resources.use(
      await AgentPod.start({
        cluster,
        node,
        podsDir: launchers.podsDir,
        identity: "root",
        command: ["node", ...imageNodeArgs(checkout.directory), bundleOf(checkout), "agent", "--log-level", "warn"],
        through: group?.command ?? [],
        env: {
          ...imageEnv(checkout.directory),
          ...deployed,
          // As the chart sets it.
          NODE_OPTIONS: `--permission --allow-fs-read=* --allow-fs-write=${deployed.KUBEVIRT_TELEMETRY_SPOOL_DIR}`,
        },
      }),
    );
    return { ...about, pid: agent.pid, group, cycles: () => sink.cycles, setInterval };
  }

  async #sink(): Promise<{ readonly url: string; readonly cycles: number }> {
    const marker = new RegExp(`^vm_metrics,.*\\bname=${FIRST_VM}\\b`, "gm");
    let cycles = 0;
    const sink = this.#resources.use(
      await Sink.startUnparsed((lines) => {
        cycles += lines.match(marker)?.length ?? 0;
      }),
    );
    return {
      url: sink.url,
      get cycles() {
        return cycles;
      },
    };
  }

  #group(): MemoryGroup | undefined {
    const group = MemoryGroup.create();
    if (group !== undefined) this.#resources.use(group);
    return group;
  }

  async #directory(): Promise<string> {
    const directory = await mkdtemp(path.join(tmpdir(), "form-"));
    await chmod(directory, 0o755);
    this.#resources.defer(() => rm(directory, { recursive: true, force: true }));
    return directory;
  }
}

interface About extends Pick<FormAgent, "checkout" | "form" | "domains"> {
  readonly interval: string;
}

async function portAndSpool(directory: string): Promise<{
  readonly KUBEVIRT_TELEMETRY_LISTEN: string;
  readonly KUBEVIRT_TELEMETRY_SPOOL_DIR: string;
}> {
  return {
    KUBEVIRT_TELEMETRY_LISTEN: `127.0.0.1:${await freePort()}`,
    KUBEVIRT_TELEMETRY_SPOOL_DIR: path.join(directory, "spool"),
  };
}

function bundleOf({ directory }: Checkout): string {
  return path.resolve(directory, "dist/kubevirt-telemetry.js");
}
