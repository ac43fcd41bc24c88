import type { LauncherSockets } from "../discovery/launcher-sockets.ts";
import type { VmiInventory } from "../discovery/inventory.ts";
import type { Clock } from "../lib/clock.ts";
import { RateLimit } from "../lib/rate-limit.ts";
import type { Logger } from "../log.ts";

const WARNING_PERIOD_MS = 300_000;

/** Says in the log which pods are passed over although there may be VMs in them, and why. */
export class LauncherLog {
  readonly #log: Logger;
  readonly #inventory: VmiInventory;
  readonly #warnings: RateLimit;
  #unresponsive: ReadonlySet<string> = new Set();

  constructor(log: Logger, inventory: VmiInventory, clock: Clock) {
    this.#log = log;
    this.#inventory = inventory;
    this.#warnings = new RateLimit(WARNING_PERIOD_MS, clock);
  }

  /** To be called after each scan. */
  scanned(launchers: Pick<LauncherSockets, "passedOver">): void {
    const denied = launchers.passedOver("denied");
    // All or none, as a rule: what is wrong is the agent's user, not the pods.
    if (denied.length > 0 && this.#warnings.allows("denied"))
      this.#log.warn(
        { pods: denied.length, example: denied[0] },
        "the agent may not look into the directories of pods: check its user, its capabilities and SELinux",
      );
    const unresponsive = new Set(launchers.passedOver("unresponsive"));
    for (const podUid of unresponsive)
      if (!this.#unresponsive.has(podUid))
        this.#log.warn(
          { podUid, vm: this.#vmOf(podUid) },
          "virt-handler has given this launcher up (launcher-unresponsive): its VM is not collected",
        );
    this.#unresponsive = unresponsive;
  }

  #vmOf(podUid: string): string | undefined {
    const vmi = this.#inventory.vmiOf(podUid);
    return vmi && `${vmi.namespace}/${vmi.name}`;
  }
}
