import { VmiInventory, type NamingRules } from "../discovery/inventory.ts";
import { projectVmi, type Vmi } from "../discovery/vmi.ts";
import type { KubeClient } from "../kubernetes/api.ts";
import { Reflector, type Change } from "../kubernetes/reflector.ts";
import type { StoreFault } from "../kubernetes/store-fault.ts";
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
  /** Called after each change of a VMI. */
  readonly onChange?: (change: Change<Vmi>) => void;
}

/** Why VMs may be missing or without a certain name. Ambiguous: several VMIs list the same pod. */
export interface NamesFault {
  readonly reason: StoreFault["reason"] | "Ambiguous";
  readonly message: string;
}

/** Labels of a VMI with the name of a node: where it runs, and where a live migration moves it. */
const NODE_LABELS = ["kubevirt.io/nodeName", "kubevirt.io/migrationTargetNodeName"];

/** Watches the VMIs on this node, and those that are migrating to it. */
export class VmiWatch implements AsyncDisposable {
  readonly inventory: VmiInventory;
  /** Resolves when both lists are read, or when the watch is stopped. */
  readonly synced: Promise<void>;
  /** Description of the objects -> their reflector. */
  readonly reflectors: ReadonlyMap<string, Reflector<Vmi>>;
  #isSynced = false;
  #withFacts = false;

  constructor(options: VmiWatchOptions) {
    const { client, nodeName, rules, log, clock, random = Math.random, onChange } = options;
    this.reflectors = new Map(
      NODE_LABELS.map((label) => {
        const what = `VMIs with ${label}`;
        const reflector = new Reflector({
          client,
          path: VMIS,
          query: { labelSelector: `${label}=${nodeName}` },
          freshness: "any",
          project: (object) => projectVmi(object, nodeName, this.#withFacts),
          onChange: (change) => {
            this.inventory.invalidate();
            onChange?.(change);
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

  /** Whether the VMIs are kept with their facts. A change reads both lists again. */
  set withFacts(wanted: boolean) {
    if (wanted === this.#withFacts) return;
    this.#withFacts = wanted;
    for (const reflector of this.reflectors.values()) reflector.reproject();
  }

  /** Whether both lists have been read once. It stays true during a later outage of the API server. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** Why VMs may be missing; undefined if both lists are complete and up to date, and each pod has one VMI. */
  get fault(): NamesFault | undefined {
    for (const { fault } of this.reflectors.values()) if (fault !== undefined) return fault;
    for (const [podUid, vmis] of this.inventory.contested) {
      const names = vmis.map(({ namespace, name }) => `${namespace}/${name}`).join(" and ");
      return { reason: "Ambiguous", message: `${names} both list the pod ${podUid}, which is not collected` };
    }
    return undefined;
  }

  /** Takes over the VMIs that an earlier process knew, until the API server lists them: see `Reflector.restore`. */
  restore(lists: ReadonlyMap<string, ReadonlyMap<string, Vmi>>): void {
    for (const [what, reflector] of this.reflectors) reflector.restore(lists.get(what) ?? new Map());
  }

  start(): void {
    for (const reflector of this.reflectors.values()) reflector.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.reflectors.values()].map((reflector) => reflector.stop()));
  }
}
