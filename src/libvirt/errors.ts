export type LibvirtErrorCode =
  /** A call or the opening missed its deadline. */
  | "E_LIBVIRT_TIMEOUT"
  /** The connection ended, from whichever side. */
  | "E_LIBVIRT_CLOSED"
  /** The peer sent what the protocol does not allow. */
  | "E_LIBVIRT_PROTOCOL"
  /** The daemon answered with an error; `libvirtCode` is its virErrorNumber. */
  | "E_LIBVIRT_REMOTE"
  /** No permission to use the socket, or authentication that this client cannot do. */
  | "E_LIBVIRT_DENIED"
  /** Nobody listens on the socket, or there is none. */
  | "E_LIBVIRT_UNREACHABLE"
  /** The socket's path cannot be used at all. */
  | "E_LIBVIRT_PATH";

interface LibvirtErrorOptions extends ErrorOptions {
  readonly libvirtCode?: number;
}

/** Every failure of this client. */
export class LibvirtError extends Error {
  override readonly name = "LibvirtError";
  readonly code: LibvirtErrorCode;
  /** virErrorNumber of an error that the daemon answered: 42 no such domain, 55 operation invalid, ... */
  readonly libvirtCode: number | undefined;

  constructor(code: LibvirtErrorCode, message: string, options: LibvirtErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.libvirtCode = options.libvirtCode;
  }
}
