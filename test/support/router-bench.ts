import type { EffectiveConfig } from "../../src/config/resolve.ts";
import type { Family } from "../../src/contract.ts";
import { Router } from "../../src/routing/router.ts";
import { ObserverLog, targetSettings } from "./delivery.ts";
import { FakeClock } from "./fake-clock.ts";
import { MemoryTarget, taken } from "./memory-target.ts";
import { sample } from "./samples.ts";

export const FAMILIES: readonly Family[] = ["Metrics", "Features", "Devices", "Totals"];

/** Returns a configuration whose targets have the given families. */
export function configOf(families: Readonly<Record<string, readonly Family[]>>): EffectiveConfig {
  const vms = { namespaces: {}, vmSelector: {} };
  return {
    state: "Active",
    intervalMs: 5_000,
    timeoutMs: 4_000,
    families: FAMILIES,
    onMissing: "Zero",
    freshness: "EveryCycle",
    maxConcurrentEndpoints: 16,
    deviceCacheTtlMs: 300_000,
    vms,
    staticTags: {},
    vmLabels: [],
    vmAnnotations: [],
    measurementPrefix: "",
    buffer: { maxBytes: 1 << 30, maxAgeMs: 86_400_000 },
    targets: Object.entries(families).map(([name, wanted]) => ({
      ...targetSettings(),
      name,
      credentials: { kind: "none" },
      tls: { mode: "Plaintext" },
      families: wanted,
      vms,
    })),
  };
}

/** A router to two targets in memory, with a fake clock. */
export class RouterBench implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly log = new ObserverLog();
  readonly missing: string[] = [];
  /** The queued lines of removed targets. */
  readonly discarded: string[] = [];
  #stopped = false;
  readonly targets: Readonly<Record<"a" | "b", MemoryTarget>> = { a: new MemoryTarget(), b: new MemoryTarget() };
  readonly router = new Router({
    node: "node-1",
    clock: this.clock,
    observer: this.log,
    onMissing: (field, { name }) => this.missing.push(`${name} ${field}`),
    onDiscarded: (target, lines) => this.discarded.push(`${target} ${lines}`),
    protocolOf: ({ name }) => this.targets[name === "a" ? "a" : "b"].protocol,
  });

  constructor() {
    // Each sender with a backlog sleeps or waits for an answer. If one does neither, it compresses, which takes no fake time.
    this.clock.isBusy = () => {
      const { a, b } = this.targets;
      const senders = this.router.senders.filter(({ backlog }) => backlog.frames > 0);
      return !this.#stopped && this.clock.sleeping + a.openRequests + b.openRequests < senders.length;
    };
  }

  async apply(
    families: Readonly<Record<string, readonly Family[]>>,
    change: Partial<EffectiveConfig> = {},
  ): Promise<void> {
    await this.router.apply({ ...configOf(families), ...change });
  }

  /** Spools one sample of a domain with this name; returns its number of lines. */
  async sample(name: string): Promise<number> {
    this.router.route(named(name));
    const lines = await this.router.flush();
    await this.clock.advance(0);
    return lines;
  }

  down(...names: readonly ("a" | "b")[]): void {
    for (const name of ["a", "b"] as const)
      this.targets[name].answer = names.includes(name) ? () => ({ status: 503, body: "" }) : taken;
  }

  /** Returns measurement and domain of each stored line of a target, without repetitions. */
  stored(name: "a" | "b"): string[] {
    const words = this.targets[name].stored.map((line) => /^([^,]+),VMID=\d+,name=([^,]+)/.exec(line));
    return [...new Set(words.map((match) => `${match?.[2] ?? ""} ${match?.[1] ?? ""}`))];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.router.stop();
  }
}

/** Returns a sample of a domain with this name. */
export function named(name: string, overrides: Parameters<typeof sample>[0] = {}): ReturnType<typeof sample> {
  return sample({ identity: { id: 1, uuid: name, name }, ...overrides });
}
