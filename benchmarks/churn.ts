import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Sink } from "../scripts/demo/sink.ts";
import { systemClock } from "../src/lib/clock.ts";
import { EmulatedNode } from "../test/integration/support/emulated-node.ts";
import type { KubeCluster } from "../test/integration/support/kube.ts";
import { freePort } from "../test/integration/support/process.ts";
import { applyConfig, target } from "../test/integration/support/telemetry-config.ts";
import { startTelemetryCluster } from "../test/integration/support/telemetry-cluster.ts";
import { applyVmi, deleteVmi } from "../test/integration/support/vmi.ts";
import { SimulatedLauncher } from "../test/support/simulated-launcher.ts";
import { ChurnLedger, type LedgerFaults } from "./churn-ledger.ts";
import { ChurnProbe, type ChurnSample } from "./churn-probe.ts";

/** Number of launchers at any time. Each lives for a tenth of the run, so there are eleven times as many VMIs. */
export const LAUNCHERS = 200;
const LIVES = 10;
const SAMPLES = 20;
/** One of this number of VMs has a second pod, whose daemon never starts. */
const BARREN = 10;
/** How the daemons end, in turns. `again`: another VM of the same name is created before the pod is removed. */
const ENDINGS = ["stop", "crash", "hang", "again"] as const;
const NAMESPACES = 8;
/** Allowed time to find a new launcher, beyond an interval. */
const FIND_MS = 2_000;

export interface ChurnFigures {
  readonly minutes: number;
  readonly intervalS: number;
  readonly seen: number;
  readonly faults: LedgerFaults;
  /** Warning in the agent's log -> number. */
  readonly warnings: Readonly<Record<string, number>>;
  /** Samples without launchers, before and after the run. */
  readonly before: ChurnSample;
  readonly after: ChurnSample;
  readonly samples: readonly ChurnSample[];
}

/** Runs an agent on a real API server while launchers and their VMIs come and go. */
export async function measureChurn(minutes: number, resources: AsyncDisposableStack): Promise<ChurnFigures> {
  // The interval is shortened too, so that there are as many cycles as in an hour, if it can be that short.
  const intervalS = Math.max(1, Math.round((5 * minutes) / 60));
  const ledger = new ChurnLedger({ intervalMs: intervalS * 1_000, findMs: FIND_MS });
  const sink = resources.use(
    await Sink.startUnparsed((lines) => {
      ledger.take(lines);
    }),
  );
  const cluster = resources.use(await startTelemetryCluster());
  const node = resources.use(await EmulatedNode.create(cluster, "node-1"));
  await applyConfig(cluster, "default", {
    collection: { interval: `${intervalS}s` },
    targets: [target({ url: sink.url, database: "telemetry" })],
    tags: { vmLabels: [{ key: "life" }, { key: "phase" }] },
  });
  const linksDir = await mkdtemp(path.join(tmpdir(), "churn-"));
  resources.defer(() => rm(linksDir, { recursive: true, force: true }));
  const [inspector, metrics] = [await freePort(), await freePort()];
  const env = {
    NODE_OPTIONS: `--inspect=127.0.0.1:${inspector}`,
    KUBEVIRT_TELEMETRY_LISTEN: `127.0.0.1:${metrics}`,
  };
  const agent = await node.startAgent({ env });
  await agent.run(3);
  const probe = new ChurnProbe(agent, { inspector, metrics });
  const before = await probe.sample(0);

  const lifeMs = (minutes * 60_000) / LIVES;
  const population = new Population({ cluster, node, linksDir, ledger, intervalMs: intervalS * 1_000, lifeMs });
  const samples = await population.during(async () => {
    const taken: ChurnSample[] = [];
    for (let sample = 1; sample <= SAMPLES; sample++) {
      await probe.pass((minutes * 60_000) / SAMPLES);
      taken.push(await probe.sample(ledger.seen));
      console.log(JSON.stringify({ ...taken.at(-1), ...ledger.faults() }));
    }
    return taken;
  });
  await agent.run(3);
  const after = await probe.sample(ledger.seen);
  const warnings = countOf(
    agent.log.filter(({ level }) => level === "warn" || level === "error").map(({ msg }) => msg),
  );
  return { minutes, intervalS, seen: ledger.seen, faults: ledger.faults(), warnings, before, after, samples };
}

function countOf(texts: readonly string[]): Record<string, number> {
  return Object.fromEntries([...Map.groupBy(texts, (text) => text)].map(([text, all]) => [text, all.length]));
}

interface PopulationOptions {
  readonly cluster: KubeCluster;
  readonly node: EmulatedNode;
  readonly linksDir: string;
  readonly ledger: ChurnLedger;
  readonly intervalMs: number;
  readonly lifeMs: number;
}

interface Vm {
  readonly life: number;
  readonly name: string;
  readonly namespace: string;
  readonly launcher: SimulatedLauncher;
  readonly barren: SimulatedLauncher | undefined;
}

/** VMs that come and go, with a constant number at any time. */
class Population {
  readonly #options: PopulationOptions;
  readonly #stop = new AbortController();
  #lives = 0;

  constructor(options: PopulationOptions) {
    this.#options = options;
  }

  /** Replaces VMs until the work is done. */
  async during<Result>(work: () => Promise<Result>): Promise<Result> {
    const places = Promise.all(Array.from({ length: LAUNCHERS }, (_, index) => this.#place(index)));
    try {
      return await Promise.race([work(), places.then(() => Promise.reject(new Error("all VMs have ended")))]);
    } finally {
      this.#stop.abort();
      await places;
    }
  }

  /** Runs one VM after the other. The first ones live for different times, so that they do not end together. */
  async #place(index: number): Promise<void> {
    const { lifeMs } = this.#options;
    let firstMs = (lifeMs * (index + 1)) / LAUNCHERS;
    let name: string | undefined;
    while (!this.#stop.signal.aborted) {
      const vm = await this.#start(name);
      const ownMs = firstMs || lifeMs;
      firstMs = 0;
      await systemClock.sleep(ownMs / 2, this.#stop.signal);
      if (vm.life % 3 === 0) await this.#write(vm, "old");
      await systemClock.sleep(ownMs / 2, this.#stop.signal);
      name = await this.#end(vm);
    }
  }

  async #start(name: string | undefined): Promise<Vm> {
    const { node, linksDir, ledger } = this.#options;
    const life = this.#lives++;
    const namespace = `ns-${(name === undefined ? life : Number(name.slice(3))) % NAMESPACES}`;
    const directories = { podsDir: node.podsDir, linksDir };
    const launcher = await SimulatedLauncher.withoutDaemon(directories);
    const barren = life % BARREN === 0 ? await SimulatedLauncher.withoutDaemon(directories) : undefined;
    const vm: Vm = { life, name: name ?? `vm-${life}`, namespace, launcher, barren };
    await this.#write(vm, "new");
    ledger.born(String(life));
    await launcher.boot(`${namespace}_${vm.name}`, life + 1);
    return vm;
  }

  async #write({ life, name, namespace, launcher }: Vm, phase: string): Promise<void> {
    const { cluster, node } = this.#options;
    const labels = { life: String(life), phase };
    await applyVmi(cluster, { namespace, name, labels, node: node.name, pods: { [launcher.podUid]: node.name } });
  }

  /** Ends a VM; resolves to its name if the next one must have the same. */
  async #end(vm: Vm): Promise<string | undefined> {
    const { cluster, ledger, intervalMs } = this.#options;
    const { launcher, barren } = vm;
    const life = String(vm.life);
    const ending = ENDINGS[vm.life % ENDINGS.length];
    ledger.silent(life);
    if (ending === "hang") await this.#hang(launcher);
    else if (ending === "stop") await launcher.stop();
    else await launcher.crash();
    await deleteVmi(cluster, vm);
    await barren?.[Symbol.asyncDispose]();
    if (ending === "again") {
      ledger.gone(life);
      void systemClock.sleep(2 * intervalMs, this.#stop.signal).then(() => launcher[Symbol.asyncDispose]());
      return vm.name;
    }
    if (ending === "crash") await systemClock.sleep(2 * intervalMs, this.#stop.signal);
    await launcher[Symbol.asyncDispose]();
    ledger.gone(life);
    return undefined;
  }

  /** Waits until a call is pending at a daemon that will not answer. */
  async #hang(launcher: SimulatedLauncher): Promise<void> {
    launcher.freeze();
    const { calls } = launcher;
    const asked = (): boolean => launcher.calls > calls;
    while (!asked() && !this.#stop.signal.aborted) await systemClock.sleep(50, this.#stop.signal);
  }
}
