export type LibvirtErrorCode =
  /** A call or `open` missed its deadline. */
  | "E_LIBVIRT_TIMEOUT"
  /** The connection ended, closed by either side, or could not be made for another reason than those below. */
  | "E_LIBVIRT_CLOSED"
  /** The peer violated the protocol. */
  | "E_LIBVIRT_PROTOCOL"
  /** The daemon answered with an error; `libvirtCode` is its virErrorNumber. */
  | "E_LIBVIRT_REMOTE"
  /** No permission to use the socket, or authentication that this client does not support. */
  | "E_LIBVIRT_DENIED"
  /** The socket does not exist, or no process listens on it. */
  | "E_LIBVIRT_UNREACHABLE"
  /** The socket's path is empty, too long or has a zero byte. */
  | "E_LIBVIRT_PATH"
  /** The daemon, or its socket, exceeds the limits that the caller has set for it; `limit` says which. */
  | "E_LIBVIRT_LIMIT";

/** The limits of a daemon. `Memory` is the one that all daemons share, `SocketType` that the path must be a socket itself. */
export type PeerLimit = "Domains" | "PacketBytes" | "Parameters" | "UnaskedPackets" | "Memory" | "SocketType";

interface LibvirtErrorOptions extends ErrorOptions {
  readonly libvirtCode?: number;
  readonly limit?: PeerLimit;
}

/** Every error of this client. */
export class LibvirtError extends Error {
  override readonly name = "LibvirtError";
  readonly code: LibvirtErrorCode;
  /** virErrorNumber in the daemon's reply, such as those of REMOTE_ERROR. */
  readonly libvirtCode: number | undefined;
  /** The exceeded limit; set if and only if the code is E_LIBVIRT_LIMIT. */
  readonly limit: PeerLimit | undefined;

  constructor(code: LibvirtErrorCode, message: string, options: LibvirtErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.libvirtCode = options.libvirtCode;
    this.limit = options.limit;
  }
}

/** Returns the error of a daemon that exceeds a limit. */
export function overLimit(limit: PeerLimit, message: string): LibvirtError {
  return new LibvirtError("E_LIBVIRT_LIMIT", message, { limit });
}
