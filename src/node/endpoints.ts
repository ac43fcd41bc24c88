import { LAUNCHER_BUDGET, type LauncherBudget } from "../budget.ts";
import type { Endpoint } from "../collection/libvirt/endpoint.ts";
import { deniedFault } from "../collection/libvirt/failed-source.ts";
import type { EffectiveConfig } from "../config/resolve.ts";
import { matchesVm, type VmFilter } from "../config/selectors.ts";
import { claimedName } from "../discovery/named-domain.ts";
import { presenceOf } from "../discovery/domain-presence.ts";
import type { NamingRules, VmiInventory } from "../discovery/inventory.ts";
import { LauncherSockets, type Launcher, type UnusableLauncher } from "../discovery/launcher-sockets.ts";
import { HostSocket, type HostSocketOptions } from "../discovery/libvirt-sockets.ts";
import { TelemetryError, messageOf } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";

type Naming = Pick<EffectiveConfig, "vms" | "vmLabels" | "vmAnnotations">;

/** Selects every VMI and makes no tags. */
export const ALL_VMS: Naming = { vms: { namespaces: {}, vmSelector: {} }, vmLabels: [], vmAnnotations: [] };

/** Where the libvirt daemons of a node are. */
export interface EndpointPlaces {
  /** The kubelet's pods directory, which contains the sockets of the launchers. */
  readonly podsDir: string | undefined;
  /** The first standard socket with a daemon, if neither this nor `podsDir` is given. */
  readonly libvirtSockets: readonly string[] | undefined;
  /** What each launcher may cost. */
  readonly launcherBudget?: LauncherBudget;
}

/**
 * Returns the launchers of a cluster as endpoints; the inventory identifies their domains. A launcher that no VMI lists is
 * left out and its socket is not opened, because any pod can serve a socket and claim the name of another VM. Its domain
 * is collected in the first cycle after its VMI is known. A former launcher of a VMI that has returned is left out, too. A
 * launcher that cannot be used is a failed endpoint if its VMI runs here: other pods may be ending, or may not be launchers.
 */
export function vmiEndpoints(
  { launchers, unusable }: Pick<LauncherSockets, "launchers" | "unusable">,
  inventory: VmiInventory,
  budget = LAUNCHER_BUDGET,
): readonly Endpoint[] {
  return inventory.currentLaunchers([...launchers, ...unusable]).flatMap((launcher): Endpoint[] => {
    const { podUid } = launcher;
    const vmi = inventory.vmiOf(podUid);
    if (vmi === undefined) return [];
    const vm = `${vmi.namespace}/${vmi.name}`;
    if ("reason" in launcher) return inventory.runsHere(podUid) ? [failedEndpoint(launcher, vm)] : [];
    return [
      {
        socket: launcher.socket,
        transient: true,
        budget,
        vm,
        identify: (domain, state, reason) => inventory.identify(podUid, domain, state, reason),
      },
    ];
  });
}

/**
 * Returns a function that finds the endpoints of a node without a cluster: the given sockets and the launchers in the pods
 * directory, or a standard socket if neither is given. `onSkipped` is called if a preferred standard socket does not answer.
 * Launchers are trusted, and their domains have the names that they claim. Labels are unknown, so a selector that needs one
 * selects no VM.
 */
export function localEndpoints(
  { podsDir, libvirtSockets, launcherBudget }: EndpointPlaces,
  clock: Clock,
  onSkipped?: HostSocketOptions["onSkipped"],
): (config: { readonly vms: VmFilter }) => Promise<readonly Endpoint[]> {
  const launchers = podsDir === undefined ? undefined : new LauncherSockets(podsDir, clock);
  const plain = plainEndpoints(libvirtSockets);
  const host = new HostSocket(onSkipped === undefined ? {} : { onSkipped });
  let current = ALL_VMS.vms;
  return async ({ vms }) => {
    // An endpoint lives for many cycles and uses the filter of the latest one.
    current = vms;
    if (launchers !== undefined && podsDir !== undefined) {
      await scan(launchers);
      return [
        ...plain,
        ...trustedEndpoints(launchers.launchers, () => current, launcherBudget),
        ...failedEndpoints(launchers.unusable, podsDir),
      ];
    }
    if (plain.length > 0) return plain;
    const onUnreachable = (): void => {
      host.unreachable();
    };
    return [{ socket: await host.find(), onUnreachable }];
  };
}

/** Returns the sockets that an administrator has named as endpoints. They are trusted, and their domains keep their names. */
export function plainEndpoints(sockets: readonly string[] = []): readonly Endpoint[] {
  return sockets.map((socket) => ({ socket }));
}

/** Returns launchers as endpoints whose domains have the names that they claim. */
export function trustedEndpoints(
  launchers: readonly Launcher[],
  vms: () => VmFilter,
  budget = LAUNCHER_BUDGET,
): readonly Endpoint[] {
  return launchers.map(({ socket }) => ({
    socket,
    transient: true,
    budget,
    identify: (domain, state, reason) => {
      const named = claimedName(domain);
      const isHere = presenceOf(state, reason) !== "no";
      return isHere && matchesVm(vms(), named.namespace, named.labels) ? named : undefined;
    },
  }));
}

/** Returns the rules by which a configuration names the VMs of this node. */
export function namingRules({ vms, vmLabels, vmAnnotations }: Naming, nodeName: string): NamingRules {
  return {
    nodeName,
    labelTags: vmLabels,
    annotationTags: vmAnnotations,
    accepts: ({ namespace, labels }) => matchesVm(vms, namespace, labels),
  };
}

/**
 * Returns a failed endpoint for each launcher that virt-handler has marked. Pods that the agent may not read are one failed
 * endpoint: without a cluster it cannot know which of them are launchers.
 */
export function failedEndpoints(unusable: readonly UnusableLauncher[], podsDir: string): readonly Endpoint[] {
  const marked = unusable.filter(({ reason }) => reason === "unresponsive");
  const failed = marked.map((launcher) => failedEndpoint(launcher, `the pod ${launcher.podUid}`));
  if (marked.length === unusable.length) return failed;
  return [...failed, { socket: podsDir, fault: deniedFault("directories of pods that may be launchers") }];
}

/** `of` names the launcher's VM. */
function failedEndpoint({ where, reason }: UnusableLauncher, of: string): Endpoint {
  const fault =
    reason === "denied"
      ? deniedFault(`the directory of the launcher of ${of}`)
      : new TelemetryError(
          "E_LAUNCHER_UNRESPONSIVE",
          `virt-handler has marked the launcher of ${of} as unresponsive: its VM is not collected`,
        );
  return { socket: where, fault };
}

/** Returns an E_PODS_DIR. `error` is the file system's. */
export function podsDirectoryError(error: unknown): TelemetryError {
  return new TelemetryError("E_PODS_DIR", `the pods directory cannot be read: ${messageOf(error)}`, { cause: error });
}

async function scan(launchers: LauncherSockets): Promise<void> {
  try {
    await launchers.scan();
  } catch (error) {
    throw podsDirectoryError(error);
  }
}
