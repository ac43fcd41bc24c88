import type { Endpoint } from "../collection/libvirt/endpoint.ts";
import type { VmFilter } from "../config/selectors.ts";
import { LauncherSockets } from "../discovery/launcher-sockets.ts";
import { findLibvirtSocket } from "../discovery/libvirt-sockets.ts";
import type { Clock } from "../lib/clock.ts";
import { podsDirectoryError, trustedEndpoints } from "./launcher-endpoints.ts";
import type { NodeOptions } from "./role.ts";

/**
 * Finds the node's libvirt daemons anew at each call: those of the sockets that were named and of the launchers in the pods
 * directory; the standard one when neither is given. No cluster names their domains: they have the names that they claim.
 */
export function localEndpoints(
  { podsDir, libvirtSockets }: Pick<NodeOptions, "podsDir" | "libvirtSockets">,
  vms: () => VmFilter,
  clock: Clock,
): () => Promise<readonly Endpoint[]> {
  const launchers = podsDir === undefined ? undefined : new LauncherSockets(podsDir, clock);
  return async () => {
    const plain = (libvirtSockets ?? []).map((socket): Endpoint => ({ socket }));
    if (launchers !== undefined) return [...plain, ...trustedEndpoints(await scan(launchers), vms)];
    return plain.length > 0 ? plain : [{ socket: await findLibvirtSocket() }];
  };
}

async function scan(launchers: LauncherSockets): Promise<LauncherSockets["launchers"]> {
  try {
    await launchers.scan();
  } catch (error) {
    throw podsDirectoryError(error);
  }
  return launchers.launchers;
}
