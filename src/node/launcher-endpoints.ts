import type { Endpoint } from "../collection/endpoint-collector.ts";
import type { EffectiveConfig } from "../config/resolve.ts";
import { matchesVm } from "../config/selectors.ts";
import type { NamingRules, VmiInventory } from "../discovery/inventory.ts";
import type { Launcher } from "../discovery/launcher-sockets.ts";
import { TelemetryError, messageOf } from "../errors.ts";

type Naming = Pick<EffectiveConfig, "vms" | "vmLabels" | "vmAnnotations">;

/** Every VMI, and no tags of theirs. */
export const ALL_VMS: Naming = { vms: { namespaces: {}, vmSelector: {} }, vmLabels: [], vmAnnotations: [] };

/** The daemons of virt-launchers as endpoints of the collection, whose domains the inventory names. */
export function launcherEndpoints(launchers: readonly Launcher[], inventory: VmiInventory): readonly Endpoint[] {
  inventory.retain(new Set(launchers.map(({ podUid }) => podUid)));
  return launchers.map(({ podUid, socket }) => ({
    socket,
    transient: true,
    name: (domain, state, reason) => inventory.name(podUid, domain, state, reason),
  }));
}

/** What a configuration says of names. Of a VMI that is not known yet no label is known, so a selector does not fit it. */
export function namingRules({ vms, vmLabels, vmAnnotations }: Naming, nodeName: string | undefined): NamingRules {
  return {
    nodeName,
    labelTags: vmLabels,
    annotationTags: vmAnnotations,
    accepts: ({ namespace, labels }) => matchesVm(vms, namespace, labels ?? {}),
  };
}

/** `error` is the file system's. */
export function podsDirectoryError(error: unknown): TelemetryError {
  return new TelemetryError("E_PODS_DIR", `the pods directory cannot be read: ${messageOf(error)}`, { cause: error });
}
