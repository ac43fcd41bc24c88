import { stat } from "node:fs/promises";
import { TelemetryError } from "../errors.ts";

/** The sockets of libvirt's daemons on a host without KubeVirt. The read-only sockets are first, because they are enough. */
export const STANDARD_SOCKETS: readonly string[] = [
  "/run/libvirt/virtqemud-sock-ro",
  "/run/libvirt/libvirt-sock-ro",
  "/run/libvirt/virtqemud-sock",
  "/run/libvirt/libvirt-sock",
];

/**
 * Resolves to the first of these sockets that exists.
 * @throws {TelemetryError} E_SOCKET_NOT_FOUND
 */
export async function findLibvirtSocket(candidates: readonly string[] = STANDARD_SOCKETS): Promise<string> {
  for (const path of candidates) if (await isSocket(path)) return path;
  throw new TelemetryError(
    "E_SOCKET_NOT_FOUND",
    `no libvirt socket found at ${candidates.join(", ")}. Start libvirtd or virtqemud, or name its socket with --libvirt-socket`,
  );
}

async function isSocket(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isSocket();
  } catch {
    return false;
  }
}
