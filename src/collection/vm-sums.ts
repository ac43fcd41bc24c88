import { DOMAIN_STATE } from "../libvirt/protocol.ts";
import type { DomainSample } from "./domain-sample.ts";
import type { VmSums } from "./node-sample.ts";
import type { SourceCycle } from "./source.ts";

/** Adds up the VMs of one cycle of a node. */
export class VmSummer {
  readonly #knowsStuck: boolean;
  readonly #samples: DomainSample[] = [];
  #stuck = 0;
  #collected = 0;
  #failed = 0;

  /** `knowsStuck` is whether QEMU is called, which shows the ones that are stuck. */
  constructor(knowsStuck: boolean) {
    this.#knowsStuck = knowsStuck;
  }

  add({ outcome, samples, stuck }: Pick<SourceCycle, "outcome" | "samples" | "stuck">): void {
    this.#samples.push(...samples);
    this.#stuck += stuck.length;
    if (outcome === "collected") this.#collected++;
    else if (outcome === "failed" || outcome === "skipped") this.#failed++;
  }

  /** Undefined if no endpoint could be collected: a count of 0 would mean that there is no VM. */
  get sums(): VmSums | undefined {
    if (this.#failed > 0 && this.#collected === 0) return undefined;
    const { RUNNING, BLOCKED, PAUSED } = DOMAIN_STATE;
    const inState = (...states: readonly number[]): number =>
      this.#samples.filter(({ state }) => state !== undefined && states.includes(state)).length;
    const vcpus = this.#sum(({ cpu }) => (cpu.count === undefined ? undefined : BigInt(cpu.count)));
    return {
      vms: this.#samples.length,
      running: inState(RUNNING, BLOCKED),
      paused: inState(PAUSED),
      stuck: this.#knowsStuck ? this.#stuck : undefined,
      vcpus: vcpus === undefined ? undefined : Number(vcpus),
      memoryMaxKib: this.#sum(({ memory }) => memory.maximum),
      memoryRssKib: this.#sum(({ memory }) => memory.rss),
      cpuTimeNs: this.#sum(({ cpu }) => cpu.time),
    };
  }

  #sum(value: (sample: DomainSample) => bigint | undefined): bigint | undefined {
    let sum: bigint | undefined;
    for (const sample of this.#samples) {
      const one = value(sample);
      if (one !== undefined) sum = (sum ?? 0n) + one;
    }
    return sum;
  }
}
