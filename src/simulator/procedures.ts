import {
  AUTH,
  CONTROL_STATE,
  CONNECT_READ_ONLY,
  DOMAIN_FILTER,
  DOMAIN_STATE,
  JOB_TYPE,
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

/** An error that the simulated daemon returns to the client. */
export class ErrorReply extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

type Write = (writer: XdrWriter) => void;
/**
 * Performs a call after its arguments are read. Resolves to a function that writes the payload of the reply. `events` are
 * the ids of those that the client has subscribed to.
 */
export type PerformCall = (host: SimulatedHost, jobs: MonitorJobs, events: Set<number>) => Promise<Write>;
/** Reads the arguments of a call. It must not wait, because the receive buffer is reused. */
type Procedure = (args: XdrReader) => PerformCall;

const LIB_VERSION = 9_000_000n;
const QEMU_VERSION = 7_002_000n;
const ALL_GROUPS = Object.values(STATS_GROUP).reduce((groups, group) => groups | group, 0);
const MONITOR_GROUPS = STATS_GROUP.BALLOON | STATS_GROUP.BLOCK | STATS_GROUP.CPU_TOTAL | STATS_GROUP.VCPU;

/** Returns a procedure that always sends the same reply. */
const answering =
  (write: Write): Procedure =>
  () =>
  () =>
    Promise.resolve(write);

/** Returns a procedure whose first argument is a domain. */
const ofDomain =
  (perform: (domain: SyntheticDomain, host: SimulatedHost, jobs: MonitorJobs) => Write): Procedure =>
  (args) => {
    const ref = readDomain(args);
    return async (host, jobs) => {
      await host.unlocked([ref.name]);
      return perform(findDomain(host, ref), host, jobs);
    };
  };

export const PROCEDURES: ReadonlyMap<number, Procedure> = new Map<number, Procedure>([
  [PROCEDURE.AUTH_LIST, answering((writer) => writer.array([AUTH.NONE], (type) => writer.uint(type)))],
  [PROCEDURE.CONNECT_SUPPORTS_FEATURE, answering((writer) => writer.int(1))],
  [PROCEDURE.CONNECT_GET_LIB_VERSION, answering((writer) => writer.uhyper(LIB_VERSION))],
  [PROCEDURE.CONNECT_GET_VERSION, answering((writer) => writer.uhyper(QEMU_VERSION))],
  [PROCEDURE.CONNECT_CLOSE, answering(() => undefined)],
  [PROCEDURE.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, registerEvent],
  [PROCEDURE.CONNECT_OPEN, open],
  [PROCEDURE.CONNECT_LIST_ALL_DOMAINS, listDomains],
  [PROCEDURE.CONNECT_GET_ALL_DOMAIN_STATS, allDomainStats],
  [
    PROCEDURE.DOMAIN_GET_XML_DESC,
    ofDomain((domain, host) => (writer) => writer.string(host.adjustXml(domain.ref.name, domain.xml()))),
  ],
  [PROCEDURE.DOMAIN_GET_INFO, ofDomain(domainInfo)],
  [PROCEDURE.DOMAIN_GET_VCPUS, ofDomain(domainVcpus)],
  [PROCEDURE.DOMAIN_GET_CPU_STATS, cpuStats],
  [PROCEDURE.DOMAIN_GET_CONTROL_INFO, ofDomain(controlInfo)],
  [PROCEDURE.DOMAIN_GET_JOB_STATS, jobStats],
]);

function open(args: XdrReader): PerformCall {
  const uri = args.optional(() => args.string(LIMIT.STRING));
  const flags = args.uint();
  return () => {
    if (uri !== "qemu:///system")
      throw new ErrorReply(REMOTE_ERROR.INTERNAL, `unexpected QEMU URI path, try qemu:///system`);
    if (flags !== CONNECT_READ_ONLY) throw new ErrorReply(REMOTE_ERROR.OPERATION_DENIED, "the simulator is read-only");
    return Promise.resolve(() => undefined);
  };
}

function registerEvent(args: XdrReader): PerformCall {
  const id = args.int();
  return (_host, _jobs, events) => {
    events.add(id);
    return Promise.resolve((writer) => writer.int(id + 1));
  };
}

function listDomains(args: XdrReader): PerformCall {
  args.int(); // 1: the domains; 0: only their number
  const flags = args.uint();
  return async (host) => {
    await host.unlocked(host.domains.keys());
    const refs = filterDomains(host, [...host.domains.values()], flags).map((domain) => refOf(host, domain));
    host.onListed();
    return (writer) => {
      writer.array(refs, (ref) => {
        writeDomain(writer, ref);
      });
      writer.uint(refs.length);
    };
  };
}

/** Returns the domains that match the flags of DOMAIN_FILTER; without flags, all. */
function filterDomains(host: SimulatedHost, domains: readonly SyntheticDomain[], flags: number): SyntheticDomain[] {
  const { ACTIVE, INACTIVE } = DOMAIN_FILTER;
  return domains.filter(
    ({ ref }) => (flags & (ACTIVE | INACTIVE)) === 0 || flags & (host.inactive.has(ref.name) ? INACTIVE : ACTIVE),
  );
}

function refOf(host: SimulatedHost, { ref }: SyntheticDomain): DomainRef {
  return host.inactive.has(ref.name) ? { ...ref, id: -1 } : ref;
}

function domainInfo(domain: SyntheticDomain, host: SimulatedHost): Write {
  const active = !host.inactive.has(domain.ref.name);
  const { state, maxMemoryKiB, memoryKiB, vcpus, cpuTimeNs } = domain.info(host.uptimeS);
  return (writer) =>
    writer
      .uint(active ? state : DOMAIN_STATE.SHUT_OFF)
      .uhyper(maxMemoryKiB)
      .uhyper(memoryKiB)
      .uint(vcpus)
      .uhyper(active ? cpuTimeNs : 0n);
}

function domainVcpus(domain: SyntheticDomain, host: SimulatedHost): Write {
  requireActive(host, domain);
  const vcpus = domain.vcpus(host.uptimeS);
  return (writer) => {
    writer.array(vcpus, ({ number, state, cpuTimeNs, cpu }) => {
      writer.uint(number).int(state).uhyper(cpuTimeNs).int(cpu);
    });
    writer.uint(0); // no maps
  };
}

function requireActive(host: SimulatedHost, { ref }: SyntheticDomain): void {
  if (!host.inactive.has(ref.name)) return;
  throw new ErrorReply(REMOTE_ERROR.OPERATION_INVALID, "Requested operation is not valid: domain is not running");
}

function cpuStats(args: XdrReader): PerformCall {
  const ref = readDomain(args);
  return async (host) => {
    await host.cpuStatsReady;
    await host.unlocked([ref.name]);
    const domain = findDomain(host, ref);
    requireActive(host, domain);
    if (!host.cgroups)
      throw new ErrorReply(
        REMOTE_ERROR.OPERATION_INVALID,
        "Requested operation is not valid: cgroup CPUACCT controller is not mounted",
      );
    const params = domain.cpuStats(host.uptimeS);
    return (writer) => {
      writeTypedParameters(writer, params);
      writer.int(params.size);
    };
  };
}

function controlInfo(domain: SyntheticDomain, host: SimulatedHost, { since }: MonitorJobs): Write {
  requireActive(host, domain);
  const { name } = domain.ref;
  const startMs = since.get(name) ?? host.otherJobs.get(name);
  const busyMs = startMs === undefined ? 0 : Math.round((host.nowMs - startMs) % host.commandMs);
  const busy = host.otherJobs.has(name) || host.migrating.has(name) ? CONTROL_STATE.JOB : CONTROL_STATE.OCCUPIED;
  return (writer) =>
    writer
      .uint(startMs === undefined ? CONTROL_STATE.OK : busy)
      .uint(0)
      .uhyper(BigInt(busyMs));
}

/** Waits for the domain's QEMU while a job runs. */
function jobStats(args: XdrReader): PerformCall {
  const ref = readDomain(args);
  const ended = args.uint() !== 0;
  return async (host) => {
    const domain = findDomain(host, ref);
    const startedMs = host.jobs.get(ref.name);
    const isShown = startedMs !== undefined && !ended;
    if (isShown && host.monitorTakesTime(ref.name)) await host.monitorAnswer(ref.name);
    const params = isShown ? domain.migration(host.nowMs - startedMs) : (host.endedJobs.get(ref.name) ?? new Map());
    const type = ended && params.size > 0 ? JOB_TYPE.COMPLETED : JOB_TYPE.NONE;
    return (writer) => {
      writer.int(isShown ? JOB_TYPE.UNBOUNDED : type);
      writeTypedParameters(writer, isShown || ended ? params : new Map());
    };
  };
}

/** Collects domain by domain. Waits for a stuck domain, unless another call already waits for it and NOWAIT is set. */
function allDomainStats(args: XdrReader): PerformCall {
  const wanted = args.array(LIMIT.DOMAINS, DOMAIN_MIN_BYTES, () => readDomain(args));
  // As in libvirt, 0 means all groups.
  const groups = args.uint() || ALL_GROUPS;
  const flags = args.uint();
  const nowait = (flags & DOMAIN_FILTER.NOWAIT) !== 0;
  return async (host, { since }) => {
    const domains =
      wanted.length === 0 ? [...host.domains.values()] : wanted.flatMap(({ name }) => host.domains.get(name) ?? []);
    await host.unlocked(domains.map(({ ref }) => ref.name));
    const records: { ref: DomainRef; params: TypedParameters }[] = [];
    for (const domain of filterDomains(host, domains, flags)) {
      const { name } = domain.ref;
      let monitor = (groups & MONITOR_GROUPS) !== 0 && !host.inactive.has(name);
      if (monitor && (since.has(name) || host.otherJobs.has(name)) && nowait) monitor = false;
      else if (monitor && host.monitorTakesTime(name)) {
        since.set(name, host.nowMs);
        await host.monitorAnswer(name);
        since.delete(name);
      }
      const params = domain.stats(groups, host.uptimeS, monitor, host.epochS);
      host.adjustStats(name, params);
      records.push({ ref: refOf(host, domain), params });
    }
    return (writer) =>
      writer.array(records, ({ ref, params }) => {
        writeDomain(writer, ref);
        writeTypedParameters(writer, params);
      });
  };
}

function findDomain(host: SimulatedHost, { name, uuid }: DomainRef): SyntheticDomain {
  const domain = host.domains.get(name);
  if (domain?.ref.uuid !== uuid)
    throw new ErrorReply(REMOTE_ERROR.NO_DOMAIN, `Domain not found: no domain with matching uuid '${uuid}' (${name})`);
  return domain;
}
