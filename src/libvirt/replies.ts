import type { Steps } from "./decode-queue.ts";
import { overLimit } from "./errors.ts";
import { KnownDomains } from "./known-domains.ts";
import { PROTOCOL_LIMITS, type PeerLimits } from "./limits.ts";
import { LIMIT } from "./protocol.ts";
import { readParameterCount, type TypedParameterDecoder } from "./typed-parameters.ts";
import type {
  DomainControlInfo,
  DomainInfo,
  DomainJobStats,
  DomainRef,
  DomainStats,
  TypedParameters,
  VcpuInfo,
} from "./types.ts";
import { DOMAIN_MIN_BYTES } from "./wire-types.ts";
import type { XdrReader } from "./xdr.ts";

// One reader for each payload that a daemon sends. All throw LibvirtError E_LIBVIRT_PROTOCOL, and those that are given
// limits E_LIBVIRT_LIMIT.

/** AUTH_LIST: values of AUTH. */
export function readAuthTypes(reader: XdrReader): number[] {
  return reader.array(LIMIT.AUTH_TYPES, 4, () => reader.uint());
}

/** CONNECT_GET_LIB_VERSION and CONNECT_GET_VERSION: major * 1000000 + minor * 1000 + micro on the wire, `9.0.0` in the result. */
export function readVersion(reader: XdrReader): string {
  const version = Number(reader.uhyper());
  return `${Math.floor(version / 1_000_000)}.${Math.floor(version / 1_000) % 1_000}.${version % 1_000}`;
}

/** CONNECT_LIST_ALL_DOMAINS. `known` has the domains of the last list. */
export function readDomains(
  reader: XdrReader,
  limits: PeerLimits = PROTOCOL_LIMITS,
  known = new KnownDomains(),
): DomainRef[] {
  const domains: DomainRef[] = [];
  for (let left = readDomainCount(reader, DOMAIN_MIN_BYTES, limits); left > 0; left--)
    domains.push(known.read(reader, domains.length));
  reader.uint(); // repeats the number of domains
  return domains;
}

/** CONNECT_GET_ALL_DOMAIN_STATS. No other reply takes as long to decode. `known` has the domains of the last one. */
export function* readDomainStats(
  reader: XdrReader,
  parameters: TypedParameterDecoder,
  limits: PeerLimits = PROTOCOL_LIMITS,
  known = new KnownDomains(),
): Steps<DomainStats[]> {
  const stats: DomainStats[] = [];
  let allowed = limits.parameters;
  for (let domains = readDomainCount(reader, DOMAIN_MIN_BYTES + 4, limits); domains > 0; domains--) {
    const domain = known.read(reader, stats.length);
    const count = readParameterCount(reader, allowed);
    allowed -= count;
    stats.push({ domain, params: yield* parameters.readInSteps(reader, count, stats.length) });
  }
  return stats;
}

function readDomainCount(reader: XdrReader, minimumSize: number, { domains }: PeerLimits): number {
  const count = reader.arrayLength(LIMIT.DOMAINS, minimumSize);
  if (count > domains) throw overLimit("Domains", `libvirt sends a reply with more than ${domains} domains`);
  return count;
}

/** DOMAIN_GET_XML_DESC. It has a step although it is short, because the caller parses the text, which takes longer. */
export function* readXml(reader: XdrReader): Steps<string> {
  yield;
  return reader.string(LIMIT.STRING);
}

/** DOMAIN_GET_INFO. */
export function readDomainInfo(reader: XdrReader): DomainInfo {
  return {
    state: reader.uint(),
    maxMemoryKiB: reader.uhyper(),
    memoryKiB: reader.uhyper(),
    vcpus: reader.uint(),
    cpuTimeNs: reader.uhyper(),
  };
}

/** DOMAIN_GET_CPU_STATS. */
export function readCpuStats(
  reader: XdrReader,
  parameters: TypedParameterDecoder,
  { parameters: maximum }: PeerLimits = PROTOCOL_LIMITS,
): TypedParameters {
  const params = parameters.read(reader, maximum);
  reader.int(); // the number that libvirt could return
  return params;
}

/** DOMAIN_GET_VCPUS, without CPU maps. */
export function readVcpus(reader: XdrReader): VcpuInfo[] {
  const vcpus = reader.array(LIMIT.VCPUS, 20, () => ({
    number: reader.uint(),
    state: reader.int(),
    cpuTimeNs: reader.uhyper(),
    cpu: reader.int(),
  }));
  reader.string(0); // the maps
  return vcpus;
}

/** DOMAIN_GET_JOB_STATS. */
export function readJobStats(reader: XdrReader, parameters: TypedParameterDecoder): DomainJobStats {
  return { type: reader.int(), params: parameters.read(reader, LIMIT.JOB_PARAMETERS) };
}

/** DOMAIN_GET_CONTROL_INFO. */
export function readControlInfo(reader: XdrReader): DomainControlInfo {
  return { state: reader.uint(), details: reader.uint(), stateTimeMs: Number(reader.uhyper()) };
}
