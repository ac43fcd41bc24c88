import { LIMIT } from "./protocol.ts";
import type { TypedParameterDecoder } from "./typed-parameters.ts";
import type {
  DomainControlInfo,
  DomainInfo,
  DomainRef,
  DomainStats,
  LifecycleEvent,
  TypedParameters,
  VcpuInfo,
} from "./types.ts";
import { DOMAIN_MIN_BYTES, readDomain } from "./wire-types.ts";
import type { XdrReader } from "./xdr.ts";

// One reader for each payload that a daemon sends. All throw LibvirtError E_LIBVIRT_PROTOCOL.

/** AUTH_LIST: values of AUTH. */
export function readAuthTypes(reader: XdrReader): number[] {
  return reader.array(LIMIT.AUTH_TYPES, 4, () => reader.uint());
}

/** CONNECT_GET_LIB_VERSION: major * 1000000 + minor * 1000 + micro on the wire, `9.0.0` in the result. */
export function readVersion(reader: XdrReader): string {
  const version = Number(reader.uhyper());
  return `${Math.floor(version / 1_000_000)}.${Math.floor(version / 1_000) % 1_000}.${version % 1_000}`;
}

/** CONNECT_LIST_ALL_DOMAINS. */
export function readDomains(reader: XdrReader): DomainRef[] {
  const domains = reader.array(LIMIT.DOMAINS, DOMAIN_MIN_BYTES, () => readDomain(reader));
  reader.uint(); // repeats the number of domains
  return domains;
}

/** CONNECT_GET_ALL_DOMAIN_STATS. */
export function readDomainStats(reader: XdrReader, parameters: TypedParameterDecoder): DomainStats[] {
  return reader.array(LIMIT.DOMAINS, DOMAIN_MIN_BYTES + 4, () => ({
    domain: readDomain(reader),
    params: parameters.read(reader),
  }));
}

/** DOMAIN_GET_XML_DESC. */
export function readXml(reader: XdrReader): string {
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
export function readCpuStats(reader: XdrReader, parameters: TypedParameterDecoder): TypedParameters {
  const params = parameters.read(reader);
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

/** DOMAIN_GET_CONTROL_INFO. */
export function readControlInfo(reader: XdrReader): DomainControlInfo {
  return { state: reader.uint(), details: reader.uint(), stateTimeMs: Number(reader.uhyper()) };
}

/** The message of a lifecycle event. */
export function readLifecycleEvent(reader: XdrReader): LifecycleEvent {
  reader.int(); // the callback id; this client has only one
  return { domain: readDomain(reader), event: reader.int(), detail: reader.int() };
}
