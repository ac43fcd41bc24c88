import path from "node:path";

/** Who is on the node: names and places on which the processes of a run agree. */

export const NODE = "node-1";
export const HONEST = { count: 20, namespace: "tenant-b" } as const;
const HOSTILE_NAMESPACE = "tenant-a";
export const INTERVAL_MS = 2_000;

/** A VM and its virt-launcher pod. The pod's UID is short, because the path of a socket has at most 107 bytes. */
export interface PlannedVm {
  readonly namespace: string;
  readonly name: string;
  readonly podUid: string;
  /** Number of the simulated guest: every number has another UUID. */
  readonly seed: number;
}

export function honestVms(): readonly PlannedVm[] {
  return Array.from({ length: HONEST.count }, (_, index) => {
    const name = `honest-${String(index).padStart(2, "0")}`;
    return { namespace: HONEST.namespace, name, podUid: name, seed: index + 1 };
  });
}

export function hostileVms(count: number): readonly PlannedVm[] {
  return Array.from({ length: count }, (_, index) => {
    const name = `hostile-${index}`;
    return { namespace: HOSTILE_NAMESPACE, name, podUid: name, seed: 1_000 + index };
  });
}

/** Returns the name that KubeVirt gives to the domain of a VM. */
export function domainOf({ namespace, name }: PlannedVm): string {
  return `${namespace}_${name}`;
}

export function runtimeDirectory(podsDir: string, { podUid }: PlannedVm): string {
  return path.join(podsDir, podUid, "volumes/kubernetes.io~empty-dir/libvirt-runtime");
}

export function socketOf(podsDir: string, vm: PlannedVm): string {
  return path.join(runtimeDirectory(podsDir, vm), "virtqemud-sock");
}
