import { Connection } from "./connection.ts";
import { LibvirtError } from "./errors.ts";
import {
  AUTH,
  CONNECT_READ_ONLY,
  FEATURE_KEEPALIVE,
  LIFECYCLE_EVENT_ID,
  LIMIT,
  type ProcedureName,
} from "./protocol.ts";
import {
  readAuthTypes,
  readControlInfo,
  readCpuStats,
  readDomainInfo,
  readDomains,
  readDomainStats,
  readVcpus,
  readVersion,
  readXml,
} from "./replies.ts";
import { TypedParameterDecoder } from "./typed-parameters.ts";
import type {
  CallOptions,
  DomainControlInfo,
  DomainInfo,
  DomainRef,
  DomainStats,
  LifecycleEvent,
  TypedParameters,
  VcpuInfo,
} from "./types.ts";
import { writeDomain } from "./wire-types.ts";
import type { XdrReader, XdrWriter } from "./xdr.ts";

/** Parameters of DOMAIN_GET_CPU_STATS for all CPUs together; libvirt has three, and room for more. */
const CPU_STATS_PARAMETERS = 16;
/** VIR_ERR_INTERNAL_ERROR: what a daemon answers to the name of the other kind of daemon. */
const WRONG_URI = 1;

export interface OpenOptions extends CallOptions {
  /** Told of every call that is made, those of the opening among them. */
  readonly onCall?: () => void;
}

/** A read-only client of one libvirt daemon. */
export class LibvirtClient implements Disposable {
  readonly socketPath: string;
  /** The name that the daemon took. A user's daemon takes only `qemu:///session`, a privileged one either. */
  readonly uri: string;
  readonly libvirtVersion: string;
  readonly #connection: Connection;
  // Field names are nearly the same everywhere, but a decoder of its own keeps one daemon's odd names to itself.
  readonly #parameters = new TypedParameterDecoder();

  private constructor(connection: Connection, about: { socketPath: string; uri: string; libvirtVersion: string }) {
    this.#connection = connection;
    this.socketPath = about.socketPath;
    this.uri = about.uri;
    this.libvirtVersion = about.libvirtVersion;
  }

  /**
   * Connects, authenticates and opens the hypervisor read-only, all within the deadline.
   * @throws {LibvirtError}
   */
  static async open(socketPath: string, { deadlineMs, onCall }: OpenOptions): Promise<LibvirtClient> {
    const end = performance.now() + deadlineMs;
    const left = (): number => Math.max(1, end - performance.now());
    const connection = await Connection.connect(socketPath, deadlineMs);
    if (onCall !== undefined) connection.onCall = onCall;
    try {
      await authenticate(connection, left);
      const uri = await openHypervisor(connection, likelyUris(socketPath), left);
      const libvirtVersion = await connection.call({
        procedure: "CONNECT_GET_LIB_VERSION",
        read: readVersion,
        deadlineMs: left(),
      });
      return new LibvirtClient(connection, { socketPath, uri, libvirtVersion });
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  /** Settles when the connection ends: with the reason, or undefined when `close` was called. Never rejects. */
  get closed(): Promise<LibvirtError | undefined> {
    return this.#connection.closed;
  }

  get isOpen(): boolean {
    return this.#connection.isOpen;
  }

  /**
   * Statistics of many domains in one call: `groups` of STATS_GROUP, `flags` of DOMAIN_FILTER; without `domains` of all
   * that the flags let through.
   */
  allDomainStats(
    {
      domains = [],
      groups,
      flags,
    }: { readonly domains?: readonly DomainRef[]; readonly groups: number; readonly flags: number },
    { deadlineMs }: CallOptions,
  ): Promise<DomainStats[]> {
    return this.#connection.call({
      procedure: "CONNECT_GET_ALL_DOMAIN_STATS",
      write: (writer) => {
        writer.array(domains, (domain) => {
          writeDomain(writer, domain);
        });
        writer.uint(groups).uint(flags);
      },
      read: (reader) => readDomainStats(reader, this.#parameters),
      deadlineMs,
    });
  }

  /** The domains that the flags of DOMAIN_FILTER let through. */
  listDomains(flags: number, { deadlineMs }: CallOptions): Promise<DomainRef[]> {
    return this.#connection.call({
      procedure: "CONNECT_LIST_ALL_DOMAINS",
      write: (writer) => writer.int(1).uint(flags),
      read: readDomains,
      deadlineMs,
    });
  }

  domainXml(domain: DomainRef, options: CallOptions): Promise<string> {
    return this.#ofDomain("DOMAIN_GET_XML_DESC", domain, options, {
      arguments: (writer) => writer.uint(0),
      read: readXml,
    });
  }

  domainInfo(domain: DomainRef, options: CallOptions): Promise<DomainInfo> {
    return this.#ofDomain("DOMAIN_GET_INFO", domain, options, { read: readDomainInfo });
  }

  /** `cpu_time`, `user_time` and `system_time` of all CPUs together, in nanoseconds, from the domain's cgroup. */
  domainCpuStats(domain: DomainRef, options: CallOptions): Promise<TypedParameters> {
    return this.#ofDomain("DOMAIN_GET_CPU_STATS", domain, options, {
      arguments: (writer) => writer.uint(CPU_STATS_PARAMETERS).int(-1).uint(1).uint(0),
      read: (reader) => readCpuStats(reader, this.#parameters),
    });
  }

  /** The online vCPUs of a running domain. Libvirt reads them from /proc, without asking QEMU. */
  domainVcpus(domain: DomainRef, options: CallOptions): Promise<VcpuInfo[]> {
    return this.#ofDomain("DOMAIN_GET_VCPUS", domain, options, {
      arguments: (writer) => writer.int(LIMIT.VCPUS).int(0),
      read: readVcpus,
    });
  }

  domainControlInfo(domain: DomainRef, options: CallOptions): Promise<DomainControlInfo> {
    return this.#ofDomain("DOMAIN_GET_CONTROL_INFO", domain, options, {
      arguments: (writer) => writer.uint(0),
      read: readControlInfo,
    });
  }

  /** Calls `listener` for every start, stop, pause, ... of a domain from now on. One listener a client. */
  async onLifecycle(listener: (event: LifecycleEvent) => void, { deadlineMs }: CallOptions): Promise<void> {
    this.#connection.onLifecycle = listener;
    await this.#connection.call({
      procedure: "CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY",
      write: (writer) => writer.int(LIFECYCLE_EVENT_ID).bool(false),
      read: (reader) => reader.int(),
      deadlineMs,
    });
  }

  /** Ends the connection; calls that are outstanding reject with E_LIBVIRT_CLOSED. */
  close(): void {
    this.#connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #ofDomain<Result>(
    procedure: ProcedureName,
    domain: DomainRef,
    { deadlineMs }: CallOptions,
    wire: { readonly arguments?: (writer: XdrWriter) => void; readonly read: (reader: XdrReader) => Result },
  ): Promise<Result> {
    return this.#connection.call({
      procedure,
      write: (writer) => {
        writeDomain(writer, domain);
        wire.arguments?.(writer);
      },
      read: wire.read,
      deadlineMs,
    });
  }
}

async function authenticate(connection: Connection, left: () => number): Promise<void> {
  const types = await connection.call({
    procedure: "AUTH_LIST",
    read: readAuthTypes,
    deadlineMs: left(),
  });
  if (types.length === 0 || types.includes(AUTH.NONE)) return;
  if (!types.includes(AUTH.POLKIT)) {
    throw new LibvirtError(
      "E_LIBVIRT_DENIED",
      "libvirt asks for SASL, which this client does not speak; use a read-only unix socket",
    );
  }
  try {
    await connection.call({ procedure: "AUTH_POLKIT", read: (reader) => reader.int(), deadlineMs: left() });
  } catch (error) {
    if (!(error instanceof LibvirtError) || error.code !== "E_LIBVIRT_REMOTE") throw error;
    throw new LibvirtError("E_LIBVIRT_DENIED", `polkit does not let this process use libvirt: ${error.message}`, {
      cause: error,
      ...(error.libvirtCode !== undefined && { libvirtCode: error.libvirtCode }),
    });
  }
}

/** A user's daemon (KubeVirt's are) refuses the name of the system's, and logs that as an error; so guess well. */
function likelyUris(socketPath: string): readonly string[] {
  const uris = ["qemu:///system", "qemu:///session"];
  return /^(\/var)?\/run\/libvirt\//.test(socketPath) ? uris : uris.reverse();
}

async function openHypervisor(connection: Connection, uris: readonly string[], left: () => number): Promise<string> {
  // Asking for the feature tells the daemon that pings will be answered.
  const keepalive = connection.call({
    procedure: "CONNECT_SUPPORTS_FEATURE",
    write: (writer) => writer.int(FEATURE_KEEPALIVE),
    read: (reader) => reader.int(),
    deadlineMs: left(),
  });
  await keepalive.catch((error: unknown) => {
    if (!(error instanceof LibvirtError) || error.code !== "E_LIBVIRT_REMOTE") throw error;
  });
  let refusal: unknown;
  for (const uri of uris) {
    try {
      await connection.call({
        procedure: "CONNECT_OPEN",
        write: (writer) => writer.optional(uri, (name) => writer.string(name)).uint(CONNECT_READ_ONLY),
        read: () => undefined,
        deadlineMs: left(),
      });
      return uri;
    } catch (error) {
      if (!(error instanceof LibvirtError) || error.libvirtCode !== WRONG_URI) throw error;
      refusal = error;
    }
  }
  throw refusal;
}
