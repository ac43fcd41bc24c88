import type { LibvirtConnection } from "./connection.ts";
import { LibvirtError } from "./errors.ts";
import { AUTH, CONNECT_READ_ONLY, FEATURE_KEEPALIVE, REMOTE_ERROR } from "./protocol.ts";
import { readAuthTypes } from "./replies.ts";

/**
 * Proves to the daemon that this process may use it.
 * @throws {LibvirtError}
 */
export async function authenticate(connection: LibvirtConnection, remainingMs: () => number): Promise<void> {
  const types = await connection.call({
    procedure: "AUTH_LIST",
    read: readAuthTypes,
    deadlineMs: remainingMs(),
  });
  if (types.length === 0 || types.includes(AUTH.NONE)) return;
  if (!types.includes(AUTH.POLKIT)) {
    throw new LibvirtError(
      "E_LIBVIRT_DENIED",
      "libvirt requires SASL, which this client does not support; use a read-only unix socket",
    );
  }
  try {
    await connection.call({ procedure: "AUTH_POLKIT", read: (reader) => reader.int(), deadlineMs: remainingMs() });
  } catch (error) {
    if (!(error instanceof LibvirtError) || error.code !== "E_LIBVIRT_REMOTE") throw error;
    throw new LibvirtError("E_LIBVIRT_DENIED", `polkit does not allow this process to use libvirt: ${error.message}`, {
      cause: error,
      ...(error.libvirtCode !== undefined && { libvirtCode: error.libvirtCode }),
    });
  }
}

/** Returns the URIs to try, the likely one first: a user's daemon (as in KubeVirt) logs the other as an error. */
function likelyUris(socketPath: string): readonly string[] {
  const uris = ["qemu:///system", "qemu:///session"];
  return /^(\/var)?\/run\/libvirt\//.test(socketPath) ? uris : uris.reverse();
}

/**
 * Opens the hypervisor read-only. Returns the URI that the daemon accepted.
 * @throws {LibvirtError}
 */
export async function openHypervisor(
  connection: LibvirtConnection,
  socketPath: string,
  remainingMs: () => number,
): Promise<string> {
  // This query tells the daemon that the client answers its pings.
  const keepalive = connection.call({
    procedure: "CONNECT_SUPPORTS_FEATURE",
    write: (writer) => writer.int(FEATURE_KEEPALIVE),
    read: (reader) => reader.int(),
    deadlineMs: remainingMs(),
  });
  await keepalive.catch(rejectionOf);
  let rejection: unknown;
  for (const uri of likelyUris(socketPath)) {
    try {
      await connection.call({
        procedure: "CONNECT_OPEN",
        write: (writer) => writer.optional(uri, (name) => writer.string(name)).uint(CONNECT_READ_ONLY),
        read: () => undefined,
        deadlineMs: remainingMs(),
      });
      return uri;
    } catch (error) {
      // A daemon answers INTERNAL to the URI of the other kind of daemon.
      if (!(error instanceof LibvirtError) || error.libvirtCode !== REMOTE_ERROR.INTERNAL) throw error;
      rejection = error;
    }
  }
  throw rejection;
}

/** Returns the error of a call that the daemon rejects, and throws any other. */
export function rejectionOf(error: unknown): LibvirtError {
  if (!(error instanceof LibvirtError) || error.code !== "E_LIBVIRT_REMOTE") throw error;
  return error;
}
