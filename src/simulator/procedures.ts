import {
  AUTH,
  CONTROL_STATE,
  CONNECT_READ_ONLY,
  DOMAIN_FILTER,
  LIMIT,
  PROCEDURE,
  REMOTE_ERROR,
  STATS_GROUP,
} from "../libvirt/protocol.ts";
import { writeTypedParameters } from "../libvirt/typed-parameters.ts";
import type { DomainRef, TypedParameters } from "../libvirt/types.ts";
import { DOMAIN_MIN_BYTES, readDomain, writeDomain } from "../libvirt/wire-types.ts";
import type { XdrReader, XdrWriter } from "../libvirt/xdr.ts";
import type { MonitorJobs, SimulatedHost } from "./simulated-host.ts";
import type { SyntheticDomain } from "./synthetic-domain.ts";

/** An error that the simulated daemon answers. */
export class Refusal extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

type Write = (writer: XdrWriter) => void;
/** Reads the arguments at once, while they are in the receive buffer; the answer may take its time. */
type Procedure = (args: XdrReader) => (host: SimulatedHost, jobs: MonitorJobs) => Promise<Write>;

const LIB_VERSION = 9_000_000n;
const MONITOR_GROUPS = STATS_GROUP.BALLOON | STATS_GROUP.BLOCK | STATS_GROUP.CPU_TOTAL | STATS_GROUP.VCPU;
/** virDomainState of a domain that does not run. */
const SHUT_OFF = 5;

const plain =
  (write: Write): Procedure =>
  () =>
  () =>
    Promise.resolve(write);

/** A procedure whose first argument is a domain. */
const ofDomain =
  (perform: (domain: SyntheticDomain, host: SimulatedHost, jobs: MonitorJobs) => Write): Procedure =>
  (args) => {
    const ref = readDomain(args);
    return (host, jobs) => Promise.resolve(perform(find(host, ref), host, jobs));
  };

export const PROCEDURES: ReadonlyMap<number, Procedure> = new Map<number, Procedure>([
  [PROCEDURE.AUTH_LIST, plain((writer) => writer.array([AUTH.NONE], (type) => writer.uint(type)))],
  [PROCEDURE.CONNECT_SUPPORTS_FEATURE, plain((writer) => writer.int(1))],
  [PROCEDURE.CONNECT_GET_LIB_VERSION, plain((writer) => writer.uhyper(LIB_VERSION))],
  [PROCEDURE.CONNECT_CLOSE, plain(() => undefined)],
  [PROCEDURE.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, plain((writer) => writer.int(1))],
  [PROCEDURE.CONNECT_OPEN, open],
  [PROCEDURE.CONNECT_LIST_ALL_DOMAINS, list],
  [PROCEDURE.CONNECT_GET_ALL_DOMAIN_STATS, allDomainStats],
  [
    PROCEDURE.DOMAIN_GET_XML_DESC,
    ofDomain((domain, host) => (writer) => writer.string(host.adjustXml(domain.ref.name, domain.xml()))),
  ],
  [PROCEDURE.DOMAIN_GET_INFO, ofDomain(info)],
  [PROCEDURE.DOMAIN_GET_VCPUS, ofDomain(vcpus)],
  [PROCEDURE.DOMAIN_GET_CPU_STATS, cpuStats],
  [PROCEDURE.DOMAIN_GET_CONTROL_INFO, ofDomain(controlInfo)],
]);

function open(args: XdrReader): ReturnType<Procedure> {
  const uri = args.optional(() => args.string(LIMIT.STRING));
  const flags = args.uint();
  return () => {
    if (uri !== "qemu:///system")
      throw new Refusal(REMOTE_ERROR.INTERNAL, `unexpected QEMU URI path, try qemu:///system`);
    if (flags !== CONNECT_READ_ONLY) throw new Refusal(REMOTE_ERROR.OPERATION_DENIED, "the simulator can only be read");
    return Promise.resolve(() => undefined);
  };
}

function list(args: XdrReader): ReturnType<Procedure> {
  args.int(); // whether the domains are wanted, or only their number
  const flags = args.uint();
  return (host) => {
    const refs = filtered(host, [...host.domains.values()], flags).map((domain) => refOf(host, domain));
    return Promise.resolve((writer) => {
      writer.array(refs, (ref) => {
        writeDomain(writer, ref);
      });
      writer.uint(refs.length);
    });
  };
}

/** What the flags of DOMAIN_FILTER let through: everything when none is given. */
function filtered(host: SimulatedHost, domains: readonly SyntheticDomain[], flags: number): SyntheticDomain[] {
  const { ACTIVE, INACTIVE } = DOMAIN_FILTER;
  return domains.filter(
    ({ ref }) => (flags & (ACTIVE | INACTIVE)) === 0 || flags & (host.inactive.has(ref.name) ? INACTIVE : ACTIVE),
  );
}

function refOf(host: SimulatedHost, { ref }: SyntheticDomain): DomainRef {
  return host.inactive.has(ref.name) ? { ...ref, id: -1 } : ref;
}

function info(domain: SyntheticDomain, host: SimulatedHost): Write {
  const active = !host.inactive.has(domain.ref.name);
  const { state, maxMemoryKiB, memoryKiB, vcpus, cpuTimeNs } = domain.info(host.seconds);
  return (writer) =>
    writer
      .uint(active ? state : SHUT_OFF)
      .uhyper(maxMemoryKiB)
      .uhyper(memoryKiB)
      .uint(vcpus)
      .uhyper(active ? cpuTimeNs : 0n);
}

function vcpus(domain: SyntheticDomain, host: SimulatedHost): Write {
  mustRun(host, domain);
  const online = domain.vcpus(host.seconds);
  return (writer) => {
    writer.array(online, ({ number, state, cpuTimeNs, cpu }) => {
      writer.uint(number).int(state).uhyper(cpuTimeNs).int(cpu);
    });
    writer.uint(0); // no maps
  };
}

function mustRun(host: SimulatedHost, { ref }: SyntheticDomain): void {
  if (!host.inactive.has(ref.name)) return;
  throw new Refusal(REMOTE_ERROR.OPERATION_INVALID, "Requested operation is not valid: domain is not running");
}

function cpuStats(args: XdrReader): ReturnType<Procedure> {
  const ref = readDomain(args);
  return async (host) => {
    await host.cpuStatsReady;
    const domain = find(host, ref);
    mustRun(host, domain);
    if (!host.cgroups)
      throw new Refusal(
        REMOTE_ERROR.OPERATION_INVALID,
        "Requested operation is not valid: cgroup CPUACCT controller is not mounted",
      );
    const params = domain.cpuStats(host.seconds);
    return (writer) => {
      writeTypedParameters(writer, params);
      writer.int(params.size);
    };
  };
}

function controlInfo(domain: SyntheticDomain, host: SimulatedHost, { since }: MonitorJobs): Write {
  mustRun(host, domain);
  const { name } = domain.ref;
  const begun = since.get(name) ?? host.otherJobs.get(name);
  const busyMs = begun === undefined ? 0 : Math.round((host.nowMs - begun) % host.commandMs);
  const busy = host.otherJobs.has(name) || host.migrating.has(name) ? CONTROL_STATE.JOB : CONTROL_STATE.OCCUPIED;
  return (writer) =>
    writer
      .uint(begun === undefined ? CONTROL_STATE.OK : busy)
      .uint(0)
      .uhyper(BigInt(busyMs));
}

/** Domain by domain, waiting for a stuck one unless another call waits for it already and NOWAIT is given. */
function allDomainStats(args: XdrReader): ReturnType<Procedure> {
  const wanted = args.array(LIMIT.DOMAINS, DOMAIN_MIN_BYTES, () => readDomain(args));
  const groups = args.uint();
  const flags = args.uint();
  const nowait = (flags & DOMAIN_FILTER.NOWAIT) !== 0;
  return async (host, { since }) => {
    const domains =
      wanted.length === 0 ? [...host.domains.values()] : wanted.flatMap(({ name }) => host.domains.get(name) ?? []);
    const records: { ref: DomainRef; params: TypedParameters }[] = [];
    for (const domain of filtered(host, domains, flags)) {
      const { name } = domain.ref;
      let monitor = (groups & MONITOR_GROUPS) !== 0 && !host.inactive.has(name);
      if (monitor && (since.has(name) || host.otherJobs.has(name)) && nowait) monitor = false;
      else if (monitor && host.waitsFor(name)) {
        since.set(name, host.nowMs);
        await host.answered(name);
        since.delete(name);
      }
      const params = domain.stats(groups, host.seconds, monitor);
      host.adjust(name, params);
      records.push({ ref: refOf(host, domain), params });
    }
    return (writer) =>
      writer.array(records, ({ ref, params }) => {
        writeDomain(writer, ref);
        writeTypedParameters(writer, params);
      });
  };
}

function find(host: SimulatedHost, { name, uuid }: DomainRef): SyntheticDomain {
  const domain = host.domains.get(name);
  if (domain?.ref.uuid !== uuid)
    throw new Refusal(REMOTE_ERROR.NO_DOMAIN, `Domain not found: no domain with matching uuid '${uuid}' (${name})`);
  return domain;
}
