import type { HostStats, NodeSample } from "../collection/node-sample.ts";
import type { SourceCycle, SourceStats } from "../collection/source.ts";
import { callsQemu } from "../collection/stats-needs.ts";
import { VmSummer } from "../collection/vm-sums.ts";
import type { Family } from "../contract.ts";
import type { Clock } from "../lib/clock.ts";
import { needsOf, NODE_FAMILIES } from "../measurement/registry.ts";
import type { Router } from "../routing/router.ts";
import { readHostStats } from "./host-stats.ts";
import type { NodeState } from "./node-state.ts";

export interface NodeLinesOptions {
  readonly router: Router;
  readonly state: NodeState;
  readonly clock: Clock;
  readonly readHost?: () => Promise<HostStats | undefined>;
}

/** Writes the lines of one cycle that are about the node and the agent, and not about a VM. */
export class NodeLines {
  readonly #options: NodeLinesOptions;
  readonly #due: ReadonlySet<Family>;
  readonly #begunMs: number;
  readonly #sums: VmSummer;

  private constructor(due: ReadonlySet<Family>, knowsStuck: boolean, options: NodeLinesOptions) {
    this.#options = options;
    this.#due = due;
    this.#sums = new VmSummer(knowsStuck);
    this.#begunMs = options.clock.monotonic();
  }

  /**
   * Returns what collects and writes the lines of a cycle with the families `due`; undefined if none of them is about the node.
   * `all` also has the families that are not due.
   */
  static of(due: readonly Family[], all: readonly Family[], options: NodeLinesOptions): NodeLines | undefined {
    const own = new Set(due.filter((family) => NODE_FAMILIES.includes(family)));
    return own.size === 0 ? undefined : new NodeLines(own, callsQemu(needsOf(all)), options);
  }

  /** Counts the VMs of an endpoint. */
  add(cycle: SourceCycle): void {
    this.#sums.add(cycle);
  }

  /** Writes the lines once everything is collected. `found` is false if the endpoints are not known. */
  async write(
    { versions, qemuVersions = [] }: SourceStats,
    { skippedTicks, found }: { readonly skippedTicks: number; readonly found: boolean },
  ): Promise<void> {
    const { router, state, clock, readHost = readHostStats } = this.#options;
    const { cycles } = state;
    const sample: NodeSample = {
      timestampMs: clock.now(),
      vms: found ? this.#sums.sums : undefined,
      host: this.#due.has("Node") ? await readHost() : undefined,
      versions: { libvirt: versions, qemu: qemuVersions },
      agent: {
        cycleMs: Math.round(clock.monotonic() - this.#begunMs),
        cycles: cycles.count + 1,
        skippedTicks,
        lines: cycles.lines,
        queuedLines: router.undeliveredLines,
        droppedLines: router.droppedLines,
        rejectedLines: router.rejectedLines,
        rssKib: Math.round(process.memoryUsage.rss() / 1024),
        cpuMs: cpuMs(),
      },
    };
    router.routeNode(sample, this.#due);
  }
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return Math.round((user + system) / 1000);
}
