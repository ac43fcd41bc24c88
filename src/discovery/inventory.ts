import { TelemetryError } from "../errors.ts";
import { ownValue } from "../lib/own-value.ts";
import type { DomainRef } from "../libvirt/types.ts";
import { domainNameOf, splitDomainName, type ObjectName } from "./domain-name.ts";
import { domainRun } from "./domain-run.ts";
import type { Vmi } from "./vmi.ts";

/** Who a domain is to the users of the cluster. The same object for as long as nothing of it changes. */
export interface NamedDomain extends ObjectName {
  /** Of the VMI; empty while it is not known. */
  readonly labels: Readonly<Record<string, string>>;
  /** Tag key and value, from the labels and annotations that the configuration asks for. */
  readonly tags: readonly (readonly [key: string, value: string])[];
}

export interface NamingRules {
  readonly nodeName: string | undefined;
  /** VMI label or annotation -> tag. */
  readonly labelTags: readonly { readonly key: string; readonly tag: string }[];
  readonly annotationTags: readonly { readonly key: string; readonly tag: string }[];
  /** Whether the configuration wants this VMI collected. `labels` is undefined while the VMI is not known. */
  accepts(who: ObjectName & { readonly labels: Readonly<Record<string, string>> | undefined }): boolean;
}

/** virDomainState. */
const STATE = { RUNNING: 1, BLOCKED: 2, PAUSED: 3 } as const;
/** virDomainPausedReason: paused because the other side of a live migration has, or is about to have, the guest. */
const HANDED_OVER: readonly number[] = [2, 12];

/** The VMIs that the API server says are or may come to be on this node; two watches may show the same one. */
export type VmiStore = ReadonlyMap<string, Vmi>;

/**
 * Names the domains of virt-launchers: socket -> pod UID -> the VMI that has this pod. Never by the domain's UUID, which
 * two VMs of one name share if they were made before KubeVirt 1.6, and never by the domain's name alone, because a VMI
 * that was deleted and made anew has the name of the old one.
 */
export class VmiInventory {
  readonly #stores: readonly VmiStore[];
  readonly #synced: () => boolean;
  #byPod: ReadonlyMap<string, Vmi> | undefined;
  #rules: NamingRules;
  #named = new Map<string, { readonly vmi: Vmi | undefined; readonly domain: NamedDomain }>();

  /** `synced`: whether the stores hold what the API server has; without it a domain without VMI is given the benefit of the doubt. */
  constructor(stores: readonly VmiStore[], synced: () => boolean, rules: NamingRules) {
    this.#stores = stores;
    this.#synced = synced;
    this.#rules = rules;
  }

  set rules(rules: NamingRules) {
    this.#rules = rules;
    this.#named.clear();
  }

  /** To be called when a store has changed. */
  changed(): void {
    this.#byPod = undefined;
  }

  /** The VMI of a launcher pod, if the API server has told of it. */
  vmiOf(podUid: string): Vmi | undefined {
    this.#byPod ??= new Map(
      this.#stores.flatMap((store) => [...store.values()].flatMap((vmi) => vmi.pods.map((pod) => [pod, vmi] as const))),
    );
    return this.#byPod.get(podUid);
  }

  /**
   * The name of a domain in the state that libvirt reports (virDomainState and its reason), or undefined when it is not
   * to be collected: the configuration does not want it, or another node has it. In a live migration a VMI has a domain
   * on two nodes; the one that runs counts, and a paused one only where the VMI is said to be.
   * @throws {TelemetryError} E_DOMAIN_FOREIGN when the domain is not the one of the pod's VMI
   */
  name(podUid: string, domain: DomainRef, state: number, reason: number | undefined): NamedDomain | undefined {
    const vmi = this.vmiOf(podUid);
    if (vmi !== undefined && domainNameOf(vmi) !== domain.name) throw foreign(vmi);
    const who = vmi ?? splitDomainName(domain.name) ?? { namespace: "", name: domain.name };
    const { namespace, name } = who;
    if (!this.#isHere(vmi, state, reason) || !this.#rules.accepts({ namespace, name, labels: vmi?.labels }))
      return undefined;
    return this.#remember(`${podUid}/${domainRun(domain)}/${domain.name}`, vmi, who);
  }

  /** Forgets the names of pods that are not among these. */
  retain(podUids: ReadonlySet<string>): void {
    for (const key of this.#named.keys()) if (!podUids.has(key.slice(0, key.indexOf("/")))) this.#named.delete(key);
  }

  #isHere(vmi: Vmi | undefined, state: number, reason: number | undefined): boolean {
    if (state === STATE.RUNNING || state === STATE.BLOCKED) return true;
    if (state === STATE.PAUSED && reason !== undefined && HANDED_OVER.includes(reason)) return false;
    if (vmi === undefined) return !this.#synced();
    return vmi.nodeName === this.#rules.nodeName;
  }

  #remember(key: string, vmi: Vmi | undefined, { namespace, name }: ObjectName): NamedDomain {
    const remembered = this.#named.get(key);
    if (remembered !== undefined && remembered.vmi === vmi) return remembered.domain;
    const { labelTags, annotationTags } = this.#rules;
    const tags = [...pick(labelTags, vmi?.labels), ...pick(annotationTags, vmi?.annotations)];
    const domain = { namespace, name, labels: vmi?.labels ?? {}, tags };
    this.#named.set(key, { vmi, domain });
    return domain;
  }
}

/** Without the name that the domain claims: whoever claims one can claim as many as they like. */
function foreign({ namespace, name }: Vmi): TelemetryError {
  return new TelemetryError(
    "E_DOMAIN_FOREIGN",
    `the launcher of ${namespace}/${name} has a domain of another name, which is left out`,
  );
}

function pick(
  wanted: NamingRules["labelTags"],
  values: Readonly<Record<string, string>> = {},
): (readonly [string, string])[] {
  return wanted.flatMap(({ key, tag }) => {
    const value = ownValue(values, key);
    return value === undefined || value === "" ? [] : [[tag, value] as const];
  });
}
