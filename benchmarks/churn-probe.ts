import { readdirSync, readFileSync } from "node:fs";
import { systemClock } from "../src/lib/clock.ts";
import type { AgentPod } from "../test/integration/support/agent-pod.ts";
import { Inspector } from "./inspector.ts";
import { residentMiB } from "./process-usage.ts";

/** The resources of an agent at one moment. */
export interface ChurnSample {
  readonly minute: number;
  /** VMIs since the start. */
  readonly seen: number;
  /** Average since the previous sample. */
  readonly residentMiB: number;
  /** Live JavaScript objects, and the buffers and other memory that they hold. */
  readonly heapMiB: number;
  readonly buffersMiB: number;
  readonly openFiles: number;
  /** Connections to libvirt daemons. */
  readonly connections: number;
  readonly inotifyWatches: number;
  /** Series in the answer to /metrics. */
  readonly series: number;
  /** Watched VMIs and TelemetryConfigs. */
  readonly objects: number;
}

const MIB = 1024 ** 2;
const RESIDENT_READINGS = 20;

/** Measures an agent from outside. */
export class ChurnProbe {
  readonly #agent: AgentPod;
  readonly #metricsUrl: string;
  readonly #inspector: Inspector;
  readonly #begun = performance.now();
  #resident: number[] = [];

  constructor(agent: AgentPod, ports: { readonly inspector: number; readonly metrics: number }) {
    this.#agent = agent;
    this.#inspector = new Inspector(ports.inspector);
    this.#metricsUrl = `http://127.0.0.1:${ports.metrics}/metrics`;
  }

  /** Samples its resident memory for a duration. */
  async pass(ms: number): Promise<void> {
    this.#resident = [];
    for (let reading = 0; reading < RESIDENT_READINGS; reading++) {
      await systemClock.sleep(ms / RESIDENT_READINGS);
      this.#resident.push(residentMiB(this.#agent.pid).now);
    }
  }

  async sample(seen: number): Promise<ChurnSample> {
    const { pid } = this.#agent;
    const resident = this.#resident.length === 0 ? [residentMiB(pid).now] : this.#resident;
    this.#resident = [];
    const metrics = (await (await fetch(this.#metricsUrl)).text()).split("\n").filter((line) => /^[a-z]/.test(line));
    const openFiles = readdirSync(`/proc/${pid}/fd`).length;
    const connections = await this.#agent.unixConnections();
    const { usedSize, backingStorageSize } = await this.#inspector.liveHeap();
    return {
      minute: (performance.now() - this.#begun) / 60_000,
      seen,
      residentMiB: resident.reduce((sum, each) => sum + each, 0) / resident.length,
      heapMiB: usedSize / MIB,
      buffersMiB: backingStorageSize / MIB,
      openFiles,
      connections,
      inotifyWatches: inotifyWatches(pid),
      series: metrics.length,
      objects: sumOf(metrics, "kubevirt_telemetry_kubernetes_objects"),
    };
  }
}

function sumOf(metrics: readonly string[], name: string): number {
  return metrics
    .filter((line) => line.startsWith(`${name}{`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

function inotifyWatches(pid: number): number {
  const directory = `/proc/${pid}/fdinfo`;
  return readdirSync(directory)
    .map((fd) => (textOf(`${directory}/${fd}`).match(/^inotify wd:/gm) ?? []).length)
    .reduce((sum, watches) => sum + watches, 0);
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // It was closed after it was listed.
  }
}
