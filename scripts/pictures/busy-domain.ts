import { DOMAIN_STATE, STATS_GROUP } from "../../src/libvirt/protocol.ts";
import type { DomainInfo, TypedValue, VcpuInfo } from "../../src/libvirt/types.ts";
import { mulberry32, SyntheticDomain, type DomainShape } from "../../src/simulator/synthetic-domain.ts";

/** Reasons of virDomainState: three of RUNNING, and one of PAUSED. */
const BOOTED = 1;
const MIGRATED = 2;
const UNPAUSED = 5;
const IO_ERROR = 5;
/** Lengths of the waves of a load, in seconds. */
const PERIODS_S = [2_900, 1_100, 430, 170, 70, 43];
/** The share of the average load that the waves of a load add or take away, all together. Below 1, so that counters never fall. */
const SWING = 0.8;
/** Memory changes slower than in SyntheticDomain. */
const MEMORY_PACE = 0.1;
const MOST_FAULTS_PER_S = 200;

interface Wave {
  readonly periodS: number;
  readonly share: number;
  readonly phase: number;
}

type Load = "cpu" | "steal" | "memory" | "network" | "disk";

/**
 * A domain whose load changes like that of real VMs. Its counters are those of a SyntheticDomain, which grow evenly, at a time that
 * passes faster or slower. It can be paused and can arrive by a live migration, and says so as libvirt does.
 */
export class BusyDomain extends SyntheticDomain {
  readonly #waves: Readonly<Record<Load, readonly Wave[]>>;
  /** Part of the memory that the guest uses on average. */
  readonly #usedMemory: number;
  /** How much slower than in SyntheticDomain its disks are, in percent. */
  readonly #diskPercent: bigint;
  readonly #faultsPerS: number;
  /** Why it runs. */
  #runsBecause = BOOTED;
  #pausedAtS: number | undefined;
  #pausedS = 0;

  constructor(index: number, shape: DomainShape, identity: { readonly name: string; readonly id: number }) {
    super(index, shape, identity);
    const random = mulberry32(index);
    const waves = (): Wave[] => {
      const heights = PERIODS_S.map(() => random());
      const sum = heights.reduce((total, height) => total + height, 0);
      return PERIODS_S.map((periodS, place) => ({
        periodS,
        share: (SWING * (heights[place] ?? 0)) / sum,
        phase: random() * 2 * Math.PI,
      }));
    };
    this.#waves = { cpu: waves(), steal: waves(), memory: waves(), network: waves(), disk: waves() };
    this.#usedMemory = 0.3 + 0.4 * random();
    this.#diskPercent = BigInt(Math.round(50 + 900 * random() ** 3));
    this.#faultsPerS = MOST_FAULTS_PER_S * random() ** 2;
  }

  /** From this uptime on the domain does nothing, because of an I/O error. */
  pause(uptimeS: number): void {
    this.#pausedAtS = uptimeS;
  }

  resume(uptimeS: number): void {
    this.#pausedS = uptimeS - this.#ranS(uptimeS);
    this.#pausedAtS = undefined;
    this.#runsBecause = UNPAUSED;
  }

  /** The domain has come from another host. */
  arrive(): void {
    this.#runsBecause = MIGRATED;
  }

  override info(uptimeS: number): DomainInfo {
    const { memoryKiB } = super.info(uptimeS * MEMORY_PACE);
    return { ...super.info(this.#workedS("cpu", uptimeS)), memoryKiB, state: this.#state().state };
  }

  override cpuStats(uptimeS: number): Map<string, TypedValue> {
    return super.cpuStats(this.#workedS("cpu", uptimeS));
  }

  override vcpus(uptimeS: number): VcpuInfo[] {
    return super.vcpus(this.#workedS("cpu", uptimeS));
  }

  override stats(groups: number, uptimeS: number, monitor: boolean, epochS = uptimeS): Map<string, TypedValue> {
    const of = (group: number, seconds: number): Map<string, TypedValue> =>
      super.stats(groups & group, seconds, monitor, epochS);
    // The vCPUs in `of` are those of this class, so their time is already the time worked.
    const vcpus = of(STATS_GROUP.VCPU, uptimeS);
    const steal = of(STATS_GROUP.VCPU, this.#workedS("steal", uptimeS));
    for (const [key, value] of steal) if (key.endsWith(".delay")) vcpus.set(key, value);
    const blocks = of(STATS_GROUP.BLOCK, this.#workedS("disk", uptimeS));
    // A disk with more requests is slower.
    const waits = of(STATS_GROUP.BLOCK, this.#workedS("disk", uptimeS, 1.15));
    for (const [key, value] of waits)
      if (key.endsWith(".times") && typeof value === "bigint") blocks.set(key, (value * this.#diskPercent) / 100n);
    return new Map([
      ...(groups & STATS_GROUP.STATE
        ? ([
            ["state.state", this.#state().state],
            ["state.reason", this.#state().reason],
          ] as const)
        : []),
      ...of(STATS_GROUP.CPU_TOTAL, this.#workedS("cpu", uptimeS)),
      ...this.#guestMemory(of(STATS_GROUP.BALLOON, uptimeS * MEMORY_PACE), uptimeS),
      ...vcpus,
      ...of(STATS_GROUP.INTERFACE, this.#workedS("network", uptimeS)),
      ...blocks,
    ]);
  }

  #state(): { readonly state: number; readonly reason: number } {
    return this.#pausedAtS === undefined
      ? { state: DOMAIN_STATE.RUNNING, reason: this.#runsBecause }
      : { state: DOMAIN_STATE.PAUSED, reason: IO_ERROR };
  }

  /** Returns the balloon's values with the memory that the guest uses now. */
  #guestMemory(balloon: Map<string, TypedValue>, uptimeS: number): Map<string, TypedValue> {
    const available = balloon.get("balloon.available");
    if (typeof available !== "bigint") return balloon;
    const ranS = this.#ranS(uptimeS);
    const swing = this.#waves.memory
      .slice(0, 3)
      .reduce((sum, { periodS, share, phase }) => sum + share * Math.sin((2 * Math.PI * ranS) / periodS + phase), 0);
    const usable = available - BigInt(Math.round(Number(available) * (this.#usedMemory + 0.25 * swing)));
    const faults = BigInt(Math.round(this.#faultsPerS * this.#workedS("memory", uptimeS)));
    return balloon
      .set("balloon.usable", usable)
      .set("balloon.unused", usable / 2n)
      .set("balloon.disk_caches", usable / 3n)
      .set("balloon.minor_fault", faults)
      .set("balloon.major_fault", faults / 40n);
  }

  #ranS(uptimeS: number): number {
    return (this.#pausedAtS ?? uptimeS) - this.#pausedS;
  }

  /** Returns the seconds in which an even load would have done the same work. */
  #workedS(load: Load, uptimeS: number, height = 1): number {
    const ranS = this.#ranS(uptimeS);
    return this.#waves[load].reduce(
      (sum, { periodS, share, phase }) =>
        sum + ((height * share * periodS) / (2 * Math.PI)) * Math.sin((2 * Math.PI * ranS) / periodS + phase),
      ranS,
    );
  }
}
