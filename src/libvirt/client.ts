import type { Call } from "./call.ts";
import { LibvirtConnection } from "./connection.ts";
import { readDomainEvent } from "./domain-events.ts";
import type { LibvirtError } from "./errors.ts";
import { KnownDomains } from "./known-domains.ts";
import { statsLimits, type PeerLimits } from "./limits.ts";
import { trustedPeer, type Peer } from "./peer.ts";
import { authenticate, openHypervisor, rejectionOf } from "./handshake.ts";
import { COMPLETED_JOB, DOMAIN_EVENT, LIMIT, type DomainEventName, type ProcedureName } from "./protocol.ts";
import {
  readControlInfo,
  readCpuStats,
  readDomainInfo,
  readDomains,
  readDomainStats,
  readJobStats,
  readVcpus,
  readVersion,
  readXml,
} from "./replies.ts";
import { TypedParameterDecoder } from "./typed-parameters.ts";
import type {
  CallOptions,
  DomainControlInfo,
  DomainEvent,
  DomainInfo,
  DomainJobStats,
  DomainRef,
  DomainStats,
  TypedParameters,
  VcpuInfo,
} from "./types.ts";
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
  readonly #listed = new KnownDomains();
  // A call for statistics may leave out domains, so its positions are not those of the list.
  readonly #measured = new KnownDomains();

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
      const uri = await openHypervisor(connection, socketPath, remainingMs);
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
   * @throws {RangeError} without groups: libvirt would return all groups, and wait for QEMU
   */
  allDomainStats(
    {
      domains = [],
      groups,
      flags,
    }: { readonly domains?: readonly DomainRef[]; readonly groups: number; readonly flags: number },
    { deadlineMs }: CallOptions,
  ): Promise<DomainStats[]> {
    if (groups === 0) throw new RangeError("statistics without groups: libvirt would return all of them");
    const limits = statsLimits(this.#limits, groups);
    return this.#connection.call({
      procedure: "CONNECT_GET_ALL_DOMAIN_STATS",
      write: (writer) => {
        writer.array(domains, (domain) => {
          this.#listed.write(writer, domain);
        });
        writer.uint(groups).uint(flags);
      },
      read: (reader, inTurns) => inTurns(readDomainStats(reader, this.#parameters, limits, this.#measured)),
      deadlineMs,
    });
  }

  /** Returns the domains that match `flags`, bits of DOMAIN_FILTER. */
  listDomains(flags: number, { deadlineMs }: CallOptions): Promise<DomainRef[]> {
    return this.#connection.call({
      procedure: "CONNECT_LIST_ALL_DOMAINS",
      write: (writer) => writer.int(1).uint(flags),
      read: (reader) => readDomains(reader, this.#limits, this.#listed),
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

  /** Returns the statistics of the domain's job, for which libvirt asks QEMU, or of its last one if `ended` is set. */
  domainJobStats(
    domain: DomainRef,
    { ended, ...options }: CallOptions & { readonly ended: boolean },
  ): Promise<DomainJobStats> {
    return this.#ofDomain("DOMAIN_GET_JOB_STATS", domain, options, {
      arguments: (writer) => writer.uint(ended ? COMPLETED_JOB : 0),
      read: (reader) => readJobStats(reader, this.#parameters),
    });
  }

  /**
   * Subscribes to these events of all domains. A daemon that does not know one of them sends the others. `listener` gets
   * each event when it arrives; an exception of it ends the connection. A daemon that is late with its answers does not.
   * @throws {LibvirtError} E_LIBVIRT_REMOTE if the daemon sends none of them
   */
  async subscribe(
    names: readonly DomainEventName[],
    listener: (event: DomainEvent) => void,
    { deadlineMs }: CallOptions,
  ): Promise<void> {
    this.#connection.staysOpen = true;
    this.#connection.onMessage = (procedure, payload) => {
      const event = readDomainEvent(procedure, payload, this.#parameters);
      if (event !== undefined) listener(event);
    };
    const registered = names.map((name) =>
      this.#connection.call({
        procedure: "CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY",
        write: (writer) => writer.int(DOMAIN_EVENT[name].id).bool(false),
        read: (reader) => reader.int(),
        deadlineMs,
      }),
    );
    const rejections = await Promise.all(registered.map((answer) => answer.then(() => undefined, rejectionOf)));
    const [first] = rejections;
    if (first !== undefined && !rejections.includes(undefined)) throw first;
  }

  /** Ignores all events from now on, although the daemon still sends them. */
  ignoreEvents(): void {
    this.#connection.staysOpen = false;
    this.#connection.onMessage = () => undefined;
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
        this.#listed.write(writer, domain);
        wire.arguments?.(writer);
      },
      read: wire.read,
      deadlineMs,
    });
  }
}
