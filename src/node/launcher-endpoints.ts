import type { Endpoint } from "../collection/libvirt/endpoint.ts";
import type { EffectiveConfig } from "../config/resolve.ts";
import { matchesVm, type VmFilter } from "../config/selectors.ts";
import { claimedName } from "../discovery/named-domain.ts";
import { presenceOf } from "../discovery/domain-presence.ts";
import type { NamingRules, VmiInventory } from "../discovery/inventory.ts";
import type { Launcher } from "../discovery/launcher-sockets.ts";
import { TelemetryError, messageOf } from "../errors.ts";

type Naming = Pick<EffectiveConfig, "vms" | "vmLabels" | "vmAnnotations">;

/** Every VMI, and no tags of theirs. */
export const ALL_VMS: Naming = { vms: { namespaces: {}, vmSelector: {} }, vmLabels: [], vmAnnotations: [] };

/**
 * The launchers of a cluster as endpoints, whose domains the inventory names. A launcher that no VMI lists is left out, so
 * its socket is not opened: any pod can serve one and claim another VM's name. Nothing of it is remembered either, so its
 * domain is collected in the first cycle after its VMI is known.
 */
export function vmiEndpoints(launchers: readonly Launcher[], inventory: VmiInventory): readonly Endpoint[] {
  return launchers
    .filter(({ podUid }) => inventory.vmiOf(podUid) !== undefined)
    .map(({ podUid, socket }) => ({
      socket,
      transient: true,
      identify: (domain, state, reason) => inventory.identify(podUid, domain, state, reason),
    }));
}

/**
 * Launchers without a cluster as endpoints: each is trusted, and its domains have the names that they claim. Of labels
 * nothing is known, so a selector that needs one selects no VM. `vms` returns the filter of the current configuration.
 */
export function trustedEndpoints(launchers: readonly Launcher[], vms: () => VmFilter): readonly Endpoint[] {
  return launchers.map(({ socket }) => ({
    socket,
    transient: true,
    identify: (domain, state, reason) => {
      const named = claimedName(domain);
      const isHere = presenceOf(state, reason) !== "no";
      return isHere && matchesVm(vms(), named.namespace, named.labels) ? named : undefined;
    },
  }));
}

/** What a configuration says of names. */
export function namingRules({ vms, vmLabels, vmAnnotations }: Naming, nodeName: string): NamingRules {
  return {
    nodeName,
    labelTags: vmLabels,
    annotationTags: vmAnnotations,
    accepts: ({ namespace, labels }) => matchesVm(vms, namespace, labels),
  };
}

/** `error` is the file system's. */
export function podsDirectoryError(error: unknown): TelemetryError {
  return new TelemetryError("E_PODS_DIR", `the pods directory cannot be read: ${messageOf(error)}`, { cause: error });
}
