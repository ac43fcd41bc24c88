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
import { TypedParameterDecoder } from "./typed-parameters.ts";
import type {
  CallOptions,
  DomainControlInfo,
  DomainInfo,
  DomainRef,
  DomainStats,
  LifecycleEvent,
  TypedParameters,
} from "./types.ts";
import { DOMAIN_MIN_BYTES, readDomain, writeDomain } from "./wire-types.ts";
import type { XdrReader, XdrWriter } from "./xdr.ts";

/** Parameters of DOMAIN_GET_CPU_STATS for all CPUs together; libvirt has three, and room for more. */
const CPU_STATS_PARAMETERS = 16;
/** VIR_ERR_INTERNAL_ERROR: what a daemon answers to the name of the other kind of daemon. */
const WRONG_URI = 1;

/** A read-only client of one libvirt daemon. */
export class LibvirtClient implements Disposable {
  readonly socketPath: string;
  /** `qemu:///system` or `qemu:///session`, whichever the daemon serves. */
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
  static async open(socketPath: string, { deadlineMs }: CallOptions): Promise<LibvirtClient> {
    const end = performance.now() + deadlineMs;
    const left = (): number => Math.max(1, end - performance.now());
    const connection = await Connection.connect(socketPath, deadlineMs);
    try {
      await authenticate(connection, left);
      const uri = await openHypervisor(connection, likelyUris(socketPath), left);
      const version = await connection.call({
        procedure: "CONNECT_GET_LIB_VERSION",
        read: (reader) => Number(reader.uhyper()),
        deadlineMs: left(),
      });
      return new LibvirtClient(connection, { socketPath, uri, libvirtVersion: formatVersion(version) });
    } catch (error) {
      connection.close();
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
      read: (reader) =>
        reader.array(LIMIT.DOMAINS, DOMAIN_MIN_BYTES + 4, () => ({
          domain: readDomain(reader),
          params: this.#parameters.read(reader),
        })),
      deadlineMs,
    });
  }

  /** The domains that the flags of DOMAIN_FILTER let through. */
  listDomains(flags: number, { deadlineMs }: CallOptions): Promise<DomainRef[]> {
    return this.#connection.call({
      procedure: "CONNECT_LIST_ALL_DOMAINS",
      write: (writer) => writer.int(1).uint(flags),
      read: (reader) => {
        const domains = reader.array(LIMIT.DOMAINS, DOMAIN_MIN_BYTES, () => readDomain(reader));
        reader.uint(); // their number once more
        return domains;
      },
      deadlineMs,
    });
  }

  domainXml(domain: DomainRef, options: CallOptions): Promise<string> {
    const read = (reader: XdrReader): string => reader.string(LIMIT.STRING);
    return this.#ofDomain("DOMAIN_GET_XML_DESC", domain, options, { arguments: (writer) => writer.uint(0), read });
  }

  domainInfo(domain: DomainRef, options: CallOptions): Promise<DomainInfo> {
    const read = (reader: XdrReader): DomainInfo => ({
      state: reader.uint(),
      maxMemoryKiB: reader.uhyper(),
      memoryKiB: reader.uhyper(),
      vcpus: reader.uint(),
      cpuTimeNs: reader.uhyper(),
    });
    return this.#ofDomain("DOMAIN_GET_INFO", domain, options, { read });
  }

  /** `cpu_time`, `user_time` and `system_time` of all CPUs together, in nanoseconds, from the domain's cgroup. */
  domainCpuStats(domain: DomainRef, options: CallOptions): Promise<TypedParameters> {
    return this.#ofDomain("DOMAIN_GET_CPU_STATS", domain, options, {
      arguments: (writer) => writer.uint(CPU_STATS_PARAMETERS).int(-1).uint(1).uint(0),
      read: (reader) => {
        const parameters = this.#parameters.read(reader);
        reader.int(); // how many there could be
        return parameters;
      },
    });
  }

  domainControlInfo(domain: DomainRef, options: CallOptions): Promise<DomainControlInfo> {
    return this.#ofDomain("DOMAIN_GET_CONTROL_INFO", domain, options, {
      arguments: (writer) => writer.uint(0),
      read: (reader) => ({ state: reader.uint(), details: reader.uint(), stateTimeMs: Number(reader.uhyper()) }),
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

  /** Ends the connection. The daemon cleans up after a client that goes, so no farewell is sent. */
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
    read: (reader) => reader.array(LIMIT.AUTH_TYPES, 4, () => reader.uint()),
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

/** A daemon serves either the system's domains or a user's (KubeVirt's do), and refuses the other name. */
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

function formatVersion(version: number): string {
  return `${Math.floor(version / 1_000_000)}.${Math.floor(version / 1_000) % 1_000}.${version % 1_000}`;
}
