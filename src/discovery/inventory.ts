import { TelemetryError } from "../errors.ts";
import { ownValue } from "../lib/own-value.ts";
import type { DomainRef } from "../libvirt/types.ts";
import { domainNameOf } from "./domain-name.ts";
import { presenceOf } from "./domain-presence.ts";
import { migrationOn, type NamedDomain } from "./named-domain.ts";
import type { Vmi } from "./vmi.ts";

export interface NamingRules {
  readonly nodeName: string;
  /** Labels of the VMI to copy into tags. */
  readonly labelTags: readonly { readonly key: string; readonly tag: string }[];
  readonly annotationTags: readonly { readonly key: string; readonly tag: string }[];
  /** Returns whether the configuration includes the VMI. */
  accepts(vmi: Pick<Vmi, "namespace" | "labels">): boolean;
}

/** VMIs of a watch that are or may soon be on this node. A VMI can be in several stores. */
export type VmiStore = ReadonlyMap<string, Vmi>;

/**
 * Identifies the domains of launchers: socket -> pod UID -> the VMI that lists this pod. The domain's own data is not used:
 * before KubeVirt 1.6, VMs with the same name have the same UUID, and a launcher can choose any domain name, because any pod
 * can serve a libvirt socket. The agent does not collect from a pod that no VMI lists.
 */
export class VmiInventory {
  /** The store of the VMIs on this node comes first. */
  readonly #stores: readonly VmiStore[];
  #index: PodIndex | undefined;
  /** Pod -> the number of the index in which it was first listed. */
  readonly #ages = new Map<string, number>();
  #indexes = 0;
  #rules: NamingRules;
  /** One object for each VMI until it changes: the encoder escapes the tags once for each object. */
  #named = new WeakMap<Vmi, NamedDomain>();

  constructor(stores: readonly VmiStore[], rules: NamingRules) {
    this.#stores = stores;
    this.#rules = rules;
  }

  set rules(rules: NamingRules) {
    this.#rules = rules;
    this.#named = new WeakMap();
  }

  /** Must be called after a store has changed. */
  invalidate(): void {
    this.#index = undefined;
  }

  /** Returns the VMI that lists this pod as one of its launchers; undefined if no store has one, or if several VMIs do. */
  vmiOf(podUid: string): Vmi | undefined {
    return this.#current.vmis.get(podUid);
  }

  /** Returns whether the VMI of this pod runs on this node. It does not if the pod is ending, or is the target of a migration. */
  runsHere(podUid: string): boolean {
    return this.vmiOf(podUid)?.nodeName === this.#rules.nodeName;
  }

  /** Pods that more than one VMI lists -> two of these VMIs. KubeVirt never writes this, so no name is certain. */
  get contested(): ReadonlyMap<string, readonly [Vmi, Vmi]> {
    return this.#current.contested;
  }

  /**
   * Returns the launchers that may be collected, of all that have a socket on this node. A VMI lists its former launchers
   * too: if it has been on this node before, only the launcher that was listed last is the current one.
   */
  currentLaunchers<L extends { readonly podUid: string }>(launchers: readonly L[]): readonly L[] {
    const { vmis } = this.#current;
    const newest = new Map<string, number>();
    for (const { podUid } of launchers) {
      const vmi = vmis.get(podUid);
      if (vmi !== undefined) newest.set(vmi.uid, Math.max(newest.get(vmi.uid) ?? 0, this.#ages.get(podUid) ?? 0));
    }
    // A former launcher is not listed while its VMI is on another node. Its age is needed when the VMI returns.
    const known = new Set([...vmis.keys(), ...launchers.map(({ podUid }) => podUid)]);
    for (const podUid of this.#ages.keys()) if (!known.has(podUid)) this.#ages.delete(podUid);
    return launchers.filter(({ podUid }) => {
      const vmi = vmis.get(podUid);
      return vmi !== undefined && this.#ages.get(podUid) === newest.get(vmi.uid);
    });
  }

  get #current(): PodIndex {
    if (this.#index === undefined) {
      this.#index = indexPods(this.#stores);
      this.#indexes++;
      for (const podUid of this.#index.vmis.keys()) if (!this.#ages.has(podUid)) this.#ages.set(podUid, this.#indexes);
    }
    return this.#index;
  }

  /**
   * Returns the VM of a domain. Returns undefined if the domain must not be collected: no VMI lists the pod, the
   * configuration excludes the VMI, or the guest is on another node. `state` and `reason` are virDomainState and its reason.
   * During a live migration a VMI has a domain on two nodes. The running one is collected; a paused one is collected only
   * on the node of the VMI.
   * @throws {TelemetryError} E_DOMAIN_FOREIGN if the domain does not have the name, or the UUID, of the pod's VMI
   */
  identify(podUid: string, domain: DomainRef, state: number, reason: number | undefined): NamedDomain | undefined {
    const vmi = this.vmiOf(podUid);
    if (vmi === undefined) return undefined;
    if (domainNameOf(vmi) !== domain.name) throw foreignDomain(vmi, "name");
    if (vmi.firmwareUuid !== undefined && vmi.firmwareUuid !== domain.uuid) throw foreignDomain(vmi, "UUID");
    return this.#isHere(vmi, state, reason) && this.#rules.accepts(vmi) ? this.#namedDomain(vmi, podUid) : undefined;
  }

  #isHere({ nodeName }: Vmi, state: number, reason: number | undefined): boolean {
    const presence = presenceOf(state, reason);
    return presence === "either" ? nodeName === this.#rules.nodeName : presence === "yes";
  }

  #namedDomain(vmi: Vmi, pod: string): NamedDomain {
    const known = this.#named.get(vmi);
    if (known !== undefined && (known.facts === undefined || known.facts.pod === pod)) return known;
    const { namespace, name, uid, firmwareUuid, labels, annotations, startedS, claims, facts } = vmi;
    const migration = vmi.migration && migrationOn(this.#rules.nodeName, vmi.migration);
    const tags = [...pick(this.#rules.labelTags, labels), ...pick(this.#rules.annotationTags, annotations)];
    const uuid = firmwareUuid === undefined ? {} : { uuid: firmwareUuid };
    const more = { ...(startedS !== undefined && { startedS }), ...(claims !== undefined && { claims }) };
    const about = {
      ...(facts !== undefined && { facts: { ...facts, uid, pod } }),
      ...(migration !== undefined && { migration }),
    };
    const named = { namespace, name, ...uuid, labels, tags, ...more, ...about };
    this.#named.set(vmi, named);
    return named;
  }
}

interface PodIndex {
  /** Pod -> the VMI that lists it. */
  readonly vmis: ReadonlyMap<string, Vmi>;
  readonly contested: ReadonlyMap<string, readonly [Vmi, Vmi]>;
}

/**
 * Returns the VMIs by their pods. The stores come from separate watches, one of which may lag behind. Of the copies of one
 * VMI the first is used: the first store has the VMIs of this node, so its copy knows that a migration to it has ended.
 */
function indexPods(stores: readonly VmiStore[]): PodIndex {
  const vmis = new Map<string, Vmi>();
  const contested = new Map<string, readonly [Vmi, Vmi]>();
  for (const store of stores)
    for (const vmi of store.values())
      for (const podUid of vmi.pods) {
        const other = vmis.get(podUid);
        if (other === undefined) vmis.set(podUid, vmi);
        else if (domainNameOf(other) !== domainNameOf(vmi)) contested.set(podUid, [other, vmi]);
      }
  for (const podUid of contested.keys()) vmis.delete(podUid);
  return { vmis, contested };
}

/** The message does not quote the domain: the log is limited by message, and a launcher can choose many names. */
function foreignDomain({ namespace, name }: Vmi, what: "name" | "UUID"): TelemetryError {
  return new TelemetryError(
    "E_DOMAIN_FOREIGN",
    `the launcher of ${namespace}/${name} has a domain with another ${what}, which is not collected`,
  );
}

function pick(
  wanted: NamingRules["labelTags"],
  values: Readonly<Record<string, string>>,
): (readonly [string, string])[] {
  return wanted.flatMap(({ key, tag }) => {
    const value = ownValue(values, key);
    return value === undefined || value === "" ? [] : [[tag, value] as const];
  });
}
