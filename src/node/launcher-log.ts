import type { LauncherSockets } from "../discovery/launcher-sockets.ts";
import type { VmiInventory } from "../discovery/inventory.ts";
import type { Clock } from "../lib/clock.ts";
import { RateLimit, WARNING_PERIOD_MS } from "../lib/rate-limit.ts";
import type { Logger } from "../log.ts";

/** A launcher has a VMI within this time after its start, and ends within this time after its VMI. */
const UNLISTED_MS = 60_000;

export interface LauncherLogOptions {
  readonly log: Logger;
  readonly inventory: Pick<VmiInventory, "vmiOf" | "contested">;
  /** Returns whether all VMIs of this node have been listed once. */
  readonly synced: () => boolean;
  readonly clock: Clock;
}

/** Logs which launchers are not collected because of their VMIs. Those that cannot be used are failed endpoints. */
export class LauncherLog {
  readonly #options: LauncherLogOptions;
  readonly #limit: RateLimit;
  /** Whether it is logged that launchers wait for the first list of VMIs. */
  #waiting = false;
  /** Launchers that no VMI lists -> monotonic time at which this is logged; Infinity afterwards. */
  #unlisted: ReadonlyMap<string, number> = new Map();

  constructor(options: LauncherLogOptions) {
    this.#options = options;
    this.#limit = new RateLimit(WARNING_PERIOD_MS, options.clock);
  }

  /** Called after each scan. A pod of no VMI causes no warning, because any pod can look like a launcher. */
  scanned(sockets: Pick<LauncherSockets, "launchers">): void {
    const { contested } = this.#options.inventory;
    const launchers = sockets.launchers.map(({ podUid }) => podUid);
    this.#logContested(launchers.filter((podUid) => contested.has(podUid)));
    const unlisted = launchers.filter((podUid) => !this.#isListed(podUid) && !contested.has(podUid));
    if (this.#options.synced()) this.#logUnlisted(unlisted);
    else this.#logWaiting(unlisted);
  }

  #logContested(podUids: readonly string[]): void {
    const [example] = podUids;
    if (example === undefined || !this.#limit.allows("contested")) return;
    const vms = this.#options.inventory.contested.get(example)?.map(({ namespace, name }) => `${namespace}/${name}`);
    this.#options.log.warn(
      { pods: podUids.length, example, vms },
      "pods that several VMIs list among their launchers: they are not collected",
    );
  }

  #logWaiting(unlisted: readonly string[]): void {
    if (this.#waiting || unlisted.length === 0) return;
    this.#waiting = true;
    this.#options.log.info(
      { launchers: unlisted.length },
      "the API server has not listed the VMIs yet: launchers are not collected until then",
    );
  }

  #logUnlisted(podUids: readonly string[]): void {
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
}
