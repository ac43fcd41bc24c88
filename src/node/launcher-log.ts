import type { LauncherSockets } from "../discovery/launcher-sockets.ts";
import type { VmiInventory } from "../discovery/inventory.ts";
import type { Clock } from "../lib/clock.ts";
import { RateLimit, WARNING_PERIOD_MS } from "../lib/rate-limit.ts";
import type { Logger } from "../log.ts";

/** A launcher that starts has its VMI within this time, and one that ends outlives its VMI by less. */
const UNLISTED_MS = 60_000;

export interface LauncherLogOptions {
  readonly log: Logger;
  readonly inventory: Pick<VmiInventory, "vmiOf">;
  /** Whether the inventory has had all VMIs of this node once. */
  readonly synced: () => boolean;
  readonly clock: Clock;
}

/** Says in the log which launchers are not collected, and why. */
export class LauncherLog {
  readonly #options: LauncherLogOptions;
  readonly #limit: RateLimit;
  #unresponsive: ReadonlySet<string> = new Set();
  /** Whether launchers wait for the first list of VMIs, and the log says so. */
  #waiting = false;
  /** Launchers that no VMI lists -> when the log says so; Infinity once it has. */
  #unlisted: ReadonlyMap<string, number> = new Map();

  constructor(options: LauncherLogOptions) {
    this.#options = options;
    this.#limit = new RateLimit(WARNING_PERIOD_MS, options.clock);
  }

  /** To be called after each scan. What only looks like a launcher is not worth a warning: any pod can. */
  scanned(sockets: Pick<LauncherSockets, "podsInState" | "launchers">): void {
    this.#sayDenied(sockets.podsInState("denied").filter((podUid) => this.#isListed(podUid)));
    this.#sayUnresponsive(sockets.podsInState("unresponsive").filter((podUid) => this.#isListed(podUid)));
    const unlisted = sockets.launchers.map(({ podUid }) => podUid).filter((podUid) => !this.#isListed(podUid));
    if (this.#options.synced()) this.#sayUnlisted(unlisted);
    else this.#sayWaiting(unlisted);
  }

  #sayDenied(denied: readonly string[]): void {
    // All or none, as a rule: what is wrong is the agent's user, not the pods.
    if (denied.length > 0 && this.#limit.allows("denied"))
      this.#options.log.warn(
        { pods: denied.length, example: denied[0] },
        "the agent may not look into the directories of pods: check its user, its capabilities and SELinux",
      );
  }

  #sayUnresponsive(unresponsive: readonly string[]): void {
    for (const podUid of unresponsive)
      if (!this.#unresponsive.has(podUid))
        this.#options.log.warn(
          { podUid, vm: this.#vmOf(podUid) },
          "virt-handler has given this launcher up (launcher-unresponsive): its VM is not collected",
        );
    this.#unresponsive = new Set(unresponsive);
  }

  #sayWaiting(unlisted: readonly string[]): void {
    if (this.#waiting || unlisted.length === 0) return;
    this.#waiting = true;
    this.#options.log.info(
      { launchers: unlisted.length },
      "the API server has not listed the VMIs yet: launchers are not collected until it has",
    );
  }

  #sayUnlisted(podUids: readonly string[]): void {
    const { log, clock } = this.#options;
    if (this.#waiting) log.info("the API server has listed the VMIs: their launchers are collected");
    this.#waiting = false;
    const now = clock.monotonic();
    const unlisted = new Map(podUids.map((podUid) => [podUid, this.#unlisted.get(podUid) ?? now + UNLISTED_MS]));
    this.#unlisted = unlisted;
    const due = podUids.filter((podUid) => (unlisted.get(podUid) ?? now) <= now);
    if (due.length === 0 || !this.#limit.allows("unlisted")) return;
    for (const podUid of due) unlisted.set(podUid, Number.POSITIVE_INFINITY);
    log.info(
      { pods: due.length, example: due[0] },
      "pods with a libvirt socket that no VMI lists among its launchers: they are not collected",
    );
  }

  #isListed(podUid: string): boolean {
    return this.#options.inventory.vmiOf(podUid) !== undefined;
  }

  #vmOf(podUid: string): string | undefined {
    const vmi = this.#options.inventory.vmiOf(podUid);
    return vmi && `${vmi.namespace}/${vmi.name}`;
  }
}
