import { VmiInventory, type NamingRules } from "../discovery/inventory.ts";
import { projectVmi, type Vmi } from "../discovery/vmi.ts";
import type { KubeClient } from "../kubernetes/api.ts";
import { Reflector } from "../kubernetes/reflector.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../log.ts";
import { VMIS } from "./kinds.ts";
import { reflectorLog } from "./kube-log.ts";

export interface VmiWatchOptions {
  readonly client: KubeClient;
  readonly nodeName: string;
  readonly rules: NamingRules;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random?: () => number;
}

/** Labels of VMIs whose value is a node: where it is, and where a live migration is about to bring it. */
const NODE_LABELS = ["kubevirt.io/nodeName", "kubevirt.io/migrationTargetNodeName"];

/** Follows the VMIs that are on this node, and those that a live migration is about to bring here. */
export class VmiWatch implements AsyncDisposable {
  readonly inventory: VmiInventory;
  /** Resolves when both lists are there, or when the watch was ended before. */
  readonly synced: Promise<void>;
  /** By what they follow. */
  readonly reflectors: ReadonlyMap<string, Reflector<Vmi>>;
  #isSynced = false;

  constructor(options: VmiWatchOptions) {
    const { client, nodeName, rules, log, clock, random = Math.random } = options;
    this.reflectors = new Map(
      NODE_LABELS.map((label) => {
        const what = `VMIs with ${label}`;
        const reflector = new Reflector({
          client,
          path: VMIS,
          query: { labelSelector: `${label}=${nodeName}` },
          freshness: "any",
          project: projectVmi,
          onChange: () => {
            this.inventory.invalidate();
          },
          observer: reflectorLog(log, what, clock),
          clock,
          random,
        });
        return [what, reflector];
      }),
    );
    const reflectors = [...this.reflectors.values()];
    const stores = reflectors.map(({ objects }) => objects);
    this.inventory = new VmiInventory(stores, rules);
    this.synced = Promise.all(reflectors.map(({ synced }) => synced)).then((synced) => {
      this.#isSynced = synced.every(Boolean);
    });
  }

  /** Whether the inventory has had all VMIs of this node once; an API server that is away later does not change it. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  start(): void {
    for (const reflector of this.reflectors.values()) reflector.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.reflectors.values()].map((reflector) => reflector.stop()));
  }
}
