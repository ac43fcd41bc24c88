import type { Call } from "./call.ts";
import { LibvirtConnection } from "./connection.ts";
import { LibvirtError } from "./errors.ts";
import { statsLimits, type PeerLimits } from "./limits.ts";
import { trustedPeer, type Peer } from "./peer.ts";
import {
  AUTH,
  CONNECT_READ_ONLY,
  FEATURE_KEEPALIVE,
  LIFECYCLE_EVENT_ID,
  LIMIT,
  REMOTE_ERROR,
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
import type { XdrWriter } from "./xdr.ts";

/** Most parameters of a DOMAIN_GET_CPU_STATS reply for all CPUs together; libvirt has three today. */
const CPU_STATS_PARAMETERS = 16;

export interface OpenOptions extends CallOptions {
  /** Is called before each call to the daemon, including those that `open` makes. */
  readonly onCall?: () => void;
  /** What the daemon may send. Without it the limits are those of the protocol. */
  readonly peer?: Peer;
}

/** A read-only client of one libvirt daemon. */
export class LibvirtClient implements Disposable {
  /** The URI that the daemon accepted. A user's daemon accepts only `qemu:///session`, a privileged one both. */
  readonly uri: string;
  readonly libvirtVersion: string;
  readonly #connection: LibvirtConnection;
  readonly #limits: PeerLimits;
  // One decoder per daemon, so that the unusual names of one daemon do not fill the table of the others.
  readonly #parameters = new TypedParameterDecoder();

  private constructor(
    connection: LibvirtConnection,
    about: { readonly uri: string; readonly libvirtVersion: string; readonly limits: PeerLimits },
  ) {
    this.#connection = connection;
    this.#limits = about.limits;
    this.uri = about.uri;
    this.libvirtVersion = about.libvirtVersion;
  }

  /**
   * Returns a client that has connected, authenticated and opened the hypervisor read-only, all within the deadline.
   * @throws {LibvirtError}
   */
  static async open(
    socketPath: string,
    { deadlineMs, onCall, peer = trustedPeer() }: OpenOptions,
  ): Promise<LibvirtClient> {
    const end = performance.now() + deadlineMs;
    const remainingMs = (): number => Math.max(1, end - performance.now());
    const connection = await LibvirtConnection.connect(socketPath, deadlineMs, peer);
    if (onCall !== undefined) connection.onCall = onCall;
    try {
      await authenticate(connection, remainingMs);
      const uri = await openHypervisor(connection, likelyUris(socketPath), remainingMs);
      const libvirtVersion = await connection.call({
        procedure: "CONNECT_GET_LIB_VERSION",
        read: readVersion,
        deadlineMs: remainingMs(),
      });
      return new LibvirtClient(connection, { uri, libvirtVersion, limits: peer.limits });
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  /** Ends the connection at once, without a word to the daemon, so that its file descriptor is free. */
  destroy(): void {
    this.#connection.destroy();
  }

  /** Resolves when the connection ends: to the reason, or to undefined after `close`. Never rejects. */
  get closed(): Promise<LibvirtError | undefined> {
    return this.#connection.closed;
  }

  get isOpen(): boolean {
    return this.#connection.isOpen;
  }

  /** Whether no further call may be late without the end of the connection. */
  get isCrowded(): boolean {
    return this.#connection.isCrowded;
  }

  /** Returns the version of QEMU. The first call to a new daemon can take seconds, because it tries its QEMU. */
  hypervisorVersion({ deadlineMs }: CallOptions): Promise<string> {
    return this.#connection.call({ procedure: "CONNECT_GET_VERSION", read: readVersion, deadlineMs });
  }

  /**
   * Returns the statistics of `domains` in one call; without them, of every domain that matches the flags. `groups` are
   * bits of STATS_GROUP, `flags` bits of DOMAIN_FILTER.
   */
  allDomainStats(
    {
      domains = [],
      groups,
      flags,
    }: { readonly domains?: readonly DomainRef[]; readonly groups: number; readonly flags: number },
    { deadlineMs }: CallOptions,
  ): Promise<DomainStats[]> {
    const limits = statsLimits(this.#limits, groups);
    return this.#connection.call({
      procedure: "CONNECT_GET_ALL_DOMAIN_STATS",
      write: (writer) => {
        writer.array(domains, (domain) => {
          writeDomain(writer, domain);
        });
        writer.uint(groups).uint(flags);
      },
      read: (reader, inTurns) => inTurns(readDomainStats(reader, this.#parameters, limits)),
      deadlineMs,
    });
  }

  /** Returns the domains that match `flags`, bits of DOMAIN_FILTER. */
  listDomains(flags: number, { deadlineMs }: CallOptions): Promise<DomainRef[]> {
    return this.#connection.call({
      procedure: "CONNECT_LIST_ALL_DOMAINS",
      write: (writer) => writer.int(1).uint(flags),
      read: (reader) => readDomains(reader, this.#limits),
      deadlineMs,
    });
  }

  domainXml(domain: DomainRef, options: CallOptions): Promise<string> {
    return this.#ofDomain("DOMAIN_GET_XML_DESC", domain, options, {
      arguments: (writer) => writer.uint(0),
      read: (reader, inTurns) => inTurns(readXml(reader)),
    });
  }

  domainInfo(domain: DomainRef, options: CallOptions): Promise<DomainInfo> {
    return this.#ofDomain("DOMAIN_GET_INFO", domain, options, { read: readDomainInfo });
  }

  /** Returns `cpu_time`, `user_time` and `system_time` of all CPUs, in nanoseconds, from the domain's cgroup. */
  domainCpuStats(domain: DomainRef, options: CallOptions): Promise<TypedParameters> {
    return this.#ofDomain("DOMAIN_GET_CPU_STATS", domain, options, {
      arguments: (writer) => writer.uint(CPU_STATS_PARAMETERS).int(-1).uint(1).uint(0),
      read: (reader) => readCpuStats(reader, this.#parameters, this.#limits),
    });
  }

  /** Returns the online vCPUs of a running domain. Libvirt reads them from /proc, without asking QEMU. */
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

  /** Subscribes to starts, stops, pauses, ... of all domains. A second call replaces the listener of the first. */
  async onLifecycle(listener: (event: LifecycleEvent) => void, { deadlineMs }: CallOptions): Promise<void> {
    this.#connection.onLifecycle = listener;
    await this.#connection.call({
      procedure: "CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY",
      write: (writer) => writer.int(LIFECYCLE_EVENT_ID).bool(false),
      read: (reader) => reader.int(),
      deadlineMs,
    });
  }

  /** Closes the connection. Outstanding calls reject with E_LIBVIRT_CLOSED. */
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
    wire: { readonly arguments?: (writer: XdrWriter) => void; readonly read: Call<Result>["read"] },
  ): Promise<Result> {
    return this.#connection.call({
      procedure,
      domain: domain.uuid,
      write: (writer) => {
        writeDomain(writer, domain);
        wire.arguments?.(writer);
      },
      read: wire.read,
      deadlineMs,
    });
  }
}

async function authenticate(connection: LibvirtConnection, remainingMs: () => number): Promise<void> {
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

async function openHypervisor(
  connection: LibvirtConnection,
  uris: readonly string[],
  remainingMs: () => number,
): Promise<string> {
  // This query tells the daemon that the client answers its pings.
  const keepalive = connection.call({
    procedure: "CONNECT_SUPPORTS_FEATURE",
    write: (writer) => writer.int(FEATURE_KEEPALIVE),
    read: (reader) => reader.int(),
    deadlineMs: remainingMs(),
  });
  await keepalive.catch((error: unknown) => {
    if (!(error instanceof LibvirtError) || error.code !== "E_LIBVIRT_REMOTE") throw error;
  });
  let rejection: unknown;
  for (const uri of uris) {
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
