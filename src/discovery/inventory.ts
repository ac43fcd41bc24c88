import { TelemetryError } from "../errors.ts";
import { ownValue } from "../lib/own-value.ts";
import type { DomainRef } from "../libvirt/types.ts";
import { domainNameOf } from "./domain-name.ts";
import { presenceOf } from "./domain-presence.ts";
import type { NamedDomain } from "./named-domain.ts";
import type { Vmi } from "./vmi.ts";

export interface NamingRules {
  readonly nodeName: string;
  /** VMI label or annotation -> tag. */
  readonly labelTags: readonly { readonly key: string; readonly tag: string }[];
  readonly annotationTags: readonly { readonly key: string; readonly tag: string }[];
  /** Whether the configuration wants this VMI collected. */
  accepts(vmi: Pick<Vmi, "namespace" | "labels">): boolean;
}

/** The VMIs that the API server says are or may come to be on this node; two watches may show the same one. */
export type VmiStore = ReadonlyMap<string, Vmi>;

/**
 * Names the domains of virt-launchers: socket -> pod UID -> the VMI that lists this pod. Never by the domain's UUID, which
 * two VMs of one name share if they were made before KubeVirt 1.6, and never by the domain's name, which the launcher
 * chooses: any pod can serve a libvirt socket. A pod that no VMI lists has no name, and nothing of it is collected.
 */
export class VmiInventory {
  readonly #stores: readonly VmiStore[];
  #byPod: ReadonlyMap<string, Vmi> | undefined;
  #rules: NamingRules;
  /** A VMI keeps its name object until it changes, so that its tags are escaped once. */
  #named = new WeakMap<Vmi, NamedDomain>();

  constructor(stores: readonly VmiStore[], rules: NamingRules) {
    this.#stores = stores;
    this.#rules = rules;
  }

  set rules(rules: NamingRules) {
    this.#rules = rules;
    this.#named = new WeakMap();
  }

  /** To be called when a store has changed. */
  invalidate(): void {
    this.#byPod = undefined;
  }

  /** The VMI that lists this pod as one of its launchers; undefined when the API server has not told of one. */
  vmiOf(podUid: string): Vmi | undefined {
    this.#byPod ??= new Map(
      this.#stores.flatMap((store) => [...store.values()].flatMap((vmi) => vmi.pods.map((pod) => [pod, vmi] as const))),
    );
    return this.#byPod.get(podUid);
  }

  /**
   * The name of a domain in the state that libvirt reports (virDomainState and its reason), or undefined when it is not
   * to be collected: no VMI lists the pod, the configuration does not want the VMI, or another node has it. In a live
   * migration a VMI has a domain on two nodes; the one that runs counts, and a paused one only where the VMI is.
   * @throws {TelemetryError} E_DOMAIN_FOREIGN when the domain is not the one of the pod's VMI
   */
  identify(podUid: string, domain: DomainRef, state: number, reason: number | undefined): NamedDomain | undefined {
    const vmi = this.vmiOf(podUid);
    if (vmi === undefined) return undefined;
    if (domainNameOf(vmi) !== domain.name) throw foreignDomain(vmi);
    return this.#isHere(vmi, state, reason) && this.#rules.accepts(vmi) ? this.#namedDomain(vmi) : undefined;
  }

  #isHere({ nodeName }: Vmi, state: number, reason: number | undefined): boolean {
    const presence = presenceOf(state, reason);
    return presence === "either" ? nodeName === this.#rules.nodeName : presence === "yes";
  }

  #namedDomain(vmi: Vmi): NamedDomain {
    const known = this.#named.get(vmi);
    if (known !== undefined) return known;
    const { namespace, name, firmwareUuid, labels, annotations } = vmi;
    const tags = [...pick(this.#rules.labelTags, labels), ...pick(this.#rules.annotationTags, annotations)];
    const uuid = firmwareUuid === undefined ? {} : { uuid: firmwareUuid };
    const named = { namespace, name, ...uuid, labels, tags };
    this.#named.set(vmi, named);
    return named;
  }
}

/** Without the name that the domain claims: the log's limit goes by message, and a launcher can claim any number of names. */
function foreignDomain({ namespace, name }: Vmi): TelemetryError {
  return new TelemetryError(
    "E_DOMAIN_FOREIGN",
    `the launcher of ${namespace}/${name} has a domain of another name, which is left out`,
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
