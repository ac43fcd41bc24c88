// Launchers that have ended leave nothing in memory. benchmarks/churn.ts measures the memory of a whole agent.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { pino } from "pino";
import { parseConfig } from "../../src/config/parse.ts";
import { resolveConfig } from "../../src/config/resolve.ts";
import { TargetAccessReader } from "../../src/config/target-access.ts";
import { secretsDirectory } from "../../src/config/secrets-dir.ts";
import { domainNameOf } from "../../src/discovery/domain-name.ts";
import { VmiInventory } from "../../src/discovery/inventory.ts";
import { LauncherSockets } from "../../src/discovery/launcher-sockets.ts";
import type { Vmi } from "../../src/discovery/vmi.ts";
import { Histogram } from "../../src/lib/histogram.ts";
import { ALL_VMS, namingRules, vmiEndpoints } from "../../src/node/endpoints.ts";
import { LauncherLog } from "../../src/node/launcher-log.ts";
import { NodeLog } from "../../src/node/node-log.ts";
import { NodeState } from "../../src/node/node-state.ts";
import { nodeView } from "../../src/node/node-view.ts";
import { Pipeline } from "../../src/node/pipeline.ts";
import { AGENT_METRICS } from "../../src/observability/agent-routes.ts";
import { formatMetrics } from "../../src/observability/metric.ts";
import { Router } from "../../src/routing/router.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { SimulatedLauncher } from "../support/simulated-launcher.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { vmi } from "../support/vmis.ts";
import { atEnd } from "../support/at-end.ts";

const GENERATIONS = 10;
const LAUNCHERS = 50;
/** The ways in which daemons end, each for every third launcher. */
const ENDINGS = ["stops", "crashes", "ends during a call"] as const;

/** The parts of the node role between the pods directory and the targets. */
class ChurnedNode {
  readonly #clock = new FakeClock();
  readonly #vmis = new Map<string, Vmi>();
  readonly #inventory: VmiInventory;
  readonly #sockets: LauncherSockets;
  readonly #launcherLog: LauncherLog;
  readonly #router: Router;
  readonly #state: NodeState;
  readonly #pipeline: Pipeline;
  readonly #directory: string;
  readonly #stop = new AbortController();
  readonly #held: WeakRef<object>[] = [];
  #running: Promise<unknown> | undefined;

  constructor(directory: string) {
    const clock = this.#clock;
    const log = pino({ level: "silent" });
    const nodeLog = new NodeLog(log, clock);
    const rules = namingRules({ ...ALL_VMS, vmLabels: [{ key: "life", tag: "life" }] }, "node-1");
    this.#directory = directory;
    this.#inventory = new VmiInventory([this.#vmis], rules);
    this.#sockets = new LauncherSockets(this.#podsDir, clock);
    this.#launcherLog = new LauncherLog({ log, inventory: this.#inventory, synced: () => true, clock });
    this.#router = new Router({ node: "node-1", clock, observer: nodeLog, onMissing: () => undefined });
    this.#state = new NodeState(nodeLog, clock);
    this.#pipeline = new Pipeline({
      router: this.#router,
      state: this.#state,
      clock,
      findEndpoints: () => Promise.resolve(vmiEndpoints(this.#sockets, this.#inventory)),
    });
  }

  async start(): Promise<void> {
    await mkdir(this.#podsDir);
    const { config, faults } = parseConfig(`apiVersion: kubevirt-telemetry.io/v1alpha1
kind: TelemetryConfig
metadata: { name: test }
spec:
  targets: [{ name: main, url: "http://127.0.0.1:1", tls: { mode: Plaintext }, v1: { database: d } }]`);
    assert.equal(faults, undefined);
    this.#pipeline.configure(await resolveConfig(config, new TargetAccessReader(secretsDirectory(undefined))));
    this.#running = this.#pipeline.run(Number.POSITIVE_INFINITY, this.#stop.signal);
    await this.cycle();
  }

  /** Starts a launcher whose VMI is in the store. */
  async launch(life: string): Promise<SimulatedLauncher> {
    const object = vmi({ name: `vm-${life}`, uid: life, labels: { life }, pods: [life] });
    const place = { podsDir: this.#podsDir, linksDir: this.#directory, podUid: life };
    const launcher = await SimulatedLauncher.withoutDaemon(place);
    this.#vmis.set(life, object);
    this.#held.push(new WeakRef(object));
    this.#inventory.invalidate();
    await launcher.boot(domainNameOf(object), this.#held.length);
    return launcher;
  }

  delete(life: string): void {
    this.#vmis.delete(life);
    this.#inventory.invalidate();
  }

  /** Scans the pods directory and runs a cycle. `duringCycle` runs while the cycle waits for answers. */
  async cycle(duringCycle: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    await this.#sockets.scan();
    this.#launcherLog.scanned(this.#sockets);
    const { count } = this.#state.cycles;
    await this.#clock.advance(5_000);
    await duringCycle();
    while (this.#state.cycles.count === count) {
      await this.#clock.advance(10);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    for (const { samples } of this.#state.endpoints.views)
      for (const sample of samples) this.#held.push(new WeakRef(sample), new WeakRef(sample.identity));
  }

  /** Number of domains in the last cycle. */
  get domains(): number {
    return this.#state.endpoints.domains;
  }

  get sleeping(): number {
    return this.#clock.sleeping;
  }

  /** Returns the state that the agent keeps, as far as tests can see it. */
  state(): object {
    const view = nodeView(
      {
        nodeName: "node-1",
        state: this.#state,
        pipeline: this.#pipeline,
        router: this.#router,
        config: { origin: { name: "" }, fault: undefined },
        watches: () => [],
        clock: this.#clock,
      },
      new Histogram([1]),
    );
    const series = formatMetrics(AGENT_METRICS, view)
      .split("\n")
      .filter((line) => !line.startsWith("#"))
      .map((line) => line.slice(0, line.lastIndexOf(" ")))
      // Faults are counted by code until the process ends.
      .filter((name) => !name.includes("libvirt_errors_total"));
    return {
      launchers: this.#sockets.launchers,
      endpoints: this.#state.endpoints.views,
      versions: this.#pipeline.stats.versions,
      series,
    };
  }

  /** Resolves to the number of VMIs, names and samples that are still reachable after a garbage collection. */
  async held(): Promise<number> {
    // The target of a weak reference that was read stays reachable until the end of the current job.
    await new Promise((resolve) => setImmediate(resolve));
    setFlagsFromString("--expose-gc");
    (runInNewContext("gc") as () => void)();
    return this.#held.filter((reference) => reference.deref() !== undefined).length;
  }

  get remembered(): number {
    return this.#held.length;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#router.stop();
  }

  get #podsDir(): string {
    return path.join(this.#directory, "p");
  }
}

test("launchers that end in any way leave nothing in memory", async (t) => {
  const node = new ChurnedNode(await temporaryDirectory(t));
  await node.start();
  atEnd(t, () => node.stop());
  const before = node.state();
  for (let generation = 0; generation < GENERATIONS; generation++) {
    const lives = Array.from({ length: LAUNCHERS }, (_, index) => `${generation}-${index}`);
    const launchers = await Promise.all(lives.map((life) => node.launch(life)));
    const ending = (wanted: (typeof ENDINGS)[number]): SimulatedLauncher[] =>
      launchers.filter((_, index) => ENDINGS[index % ENDINGS.length] === wanted);
    await node.cycle();
    await node.cycle();
    assert.equal(node.domains, LAUNCHERS);
    for (const launcher of ending("stops")) await launcher.stop();
    for (const launcher of ending("crashes")) await launcher.crash();
    for (const launcher of ending("ends during a call")) launcher.freeze();
    await node.cycle(async () => {
      for (const launcher of ending("ends during a call")) await launcher[Symbol.asyncDispose]();
    });
    assert.equal(node.domains, 0);
    for (const life of lives) node.delete(life);
    for (const launcher of launchers) await launcher[Symbol.asyncDispose]();
    await node.cycle();
  }
  assert.deepEqual(node.state(), before);
  assert.ok(node.sleeping <= 3, `${node.sleeping} sleeps, more than those for the next tick and the next delivery`);
  assert.ok(node.remembered > GENERATIONS * LAUNCHERS);
  assert.equal(await node.held(), 0);
});
