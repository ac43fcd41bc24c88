import { domainKey } from "../../discovery/domain-name.ts";
import type { Clock } from "../../lib/clock.ts";
import type { LibvirtClient } from "../../libvirt/client.ts";
import { LibvirtError } from "../../libvirt/errors.ts";
import { DOMAIN_STATE, REMOTE_ERROR } from "../../libvirt/protocol.ts";
import type { DomainInfo, DomainRef, TypedParameters } from "../../libvirt/types.ts";
import type { CpuSample } from "../domain-sample.ts";
import { CpuStatsProbe } from "./cpu-stats-probe.ts";
import { counter } from "./typed-values.ts";

/** The values of a domain that libvirt has without asking QEMU. Cheap to read, and never blocked by a stopped QEMU. */
export interface BasicInfo {
  readonly domain: DomainRef;
  readonly info: DomainInfo;
  /** When `info` was received, on the monotonic clock. */
  readonly readMs: number;
  /** From the domain's cgroup; undefined if the daemon has none to read, as in KubeVirt's launchers. */
  readonly cpu: CpuTimes | undefined;
}

/** The CPU times of a domain's cgroup. `readMs` is when they were received, on the monotonic clock. */
interface CpuTimes extends Pick<CpuSample, "time" | "user" | "system"> {
  readonly readMs: number;
}

/** Whether CPU times are known from cgroups. */
export type CpuTimesSource = "known" | "unavailable" | "uncertain";

/** virErrorNumber values of a domain that has ended since it was listed. */
const GONE: readonly (number | undefined)[] = [REMOTE_ERROR.NO_DOMAIN, REMOTE_ERROR.OPERATION_INVALID];

export interface BasicInfoOptions {
  /** On the monotonic clock. */
  readonly deadline: number;
  /** How long to wait until a new daemon can read CPU times, in milliseconds. */
  readonly probeMs: number;
  readonly isStarting: (domain: DomainRef) => boolean;
  /** Called with the error of a domain that is left out. `tolerate`: the domain is starting, so it is not a fault yet. */
  readonly report: (error: LibvirtError, tolerate: boolean) => void;
}

/** Reads the basic information of the domains of one daemon. */
export class BasicInfoReader {
  readonly #clock: Clock;
  readonly #cpuStats: CpuStatsProbe;
  /** Runs of domains that have answered before. */
  #known: ReadonlySet<string> = new Set();
  /** The call that was made ahead. */
  #ahead: { readonly session: LibvirtClient; readonly run: string; readonly answer: Promise<InfoAnswer> } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#cpuStats = new CpuStatsProbe(clock);
  }

  /** Whether the next `read` of known domains asks only for their DOMAIN_GET_INFO. */
  get needsNoCpuStats(): boolean {
    return this.#cpuStats.isUnavailable;
  }

  /**
   * Returns whether cgroups provided all CPU times of these domains, so that QEMU's are not needed. `uncertain`: not all, although the
   * daemon may have cgroups.
   */
  cpuTimesOf(infos: readonly BasicInfo[]): CpuTimesSource {
    if (infos.every(hasCpuTimes)) return "known";
    return this.needsNoCpuStats ? "unavailable" : "uncertain";
  }

  /** Makes the call that the next `read` is expected to make for this domain. */
  callAhead(session: LibvirtClient, domain: DomainRef, deadlineMs: number): void {
    const answer = answerOf(session, domain, { deadlineMs, clock: this.#clock });
    // The cycle may end without it.
    answer.catch(() => undefined);
    this.#ahead = { session, run: domainKey(domain), answer };
  }

  /** Must be called when the next connection may be to another daemon. */
  reset(): void {
    this.#cpuStats.reset();
  }

  /**
   * Returns the basic information of these domains. Leaves out domains that have ended, and domains that libvirt has locked, as it
   * does while they start. New domains are read after the others, one after the other, so that a cycle waits for one of them at
   * most. In the first cycle all are new, and are read together.
   * @throws {LibvirtError} if the connection fails, or if no domain answers although it is not starting
   */
  async read(
    session: LibvirtClient,
    domains: readonly DomainRef[],
    { deadline, probeMs, isStarting, report }: BasicInfoOptions,
  ): Promise<BasicInfo[]> {
    const ask = (domain: DomainRef, deadlineMs: number): Promise<InfoAnswer> =>
      this.#takeAhead(session, domain) ?? answerOf(session, domain, { deadlineMs, clock: this.#clock });
    const isKnown = (domain: DomainRef): boolean => this.#known.has(domainKey(domain));
    const [known, fresh] = [domains.filter(isKnown), domains.filter((domain) => !isKnown(domain))];
    const withCpu = await this.#cpuStats.isUsable(session, [...known, ...fresh], probeMs);
    const leftMs = (): number => deadline - this.#clock.monotonic();
    const silent: LibvirtError[] = [];
    const leftOut = (error: LibvirtError, domain: DomainRef): void => {
      if (error.code !== "E_LIBVIRT_TIMEOUT" || isStarting(domain)) report(error, isStarting(domain));
      else silent.push(new LibvirtError(error.code, `${domain.name} is left out: ${error.message}`, { cause: error }));
    };
    const read = (some: readonly DomainRef[]): Promise<BasicInfo[]> =>
      readBasicInfo(session, some, { withCpu, deadlineMs: Math.max(1, leftMs()), clock: this.#clock, ask }, leftOut);
    const [witness] = known;
    const infos = await read(witness === undefined ? fresh : known);
    for (const domain of fresh) {
      if (witness === undefined || session.isCrowded || leftMs() <= 0) break;
      // While the new domain does not answer, the other one shows that the daemon does.
      const answers = await read([domain, witness]);
      infos.push(...answers.filter((info) => info.domain === domain));
    }
    if (infos.length === 0 && silent[0] !== undefined) throw silent[0];
    for (const error of silent) report(error, false);
    if (withCpu && infos.length > 0 && infos.every(({ cpu }) => cpu === undefined)) this.#cpuStats.markUnavailable();
    this.#known = new Set([...known, ...infos.map(({ domain }) => domain)].map(domainKey));
    return infos;
  }

  #takeAhead(session: LibvirtClient, domain: DomainRef): Promise<InfoAnswer> | undefined {
    const ahead = this.#ahead;
    if (ahead === undefined) return undefined;
    this.#ahead = undefined;
    return ahead.session === session && ahead.run === domainKey(domain) ? ahead.answer : undefined;
  }
}

/**
 * Returns the basic information of these domains. Leaves out domains that have ended. If the daemon rejects the call for a
 * domain, or does not answer it while it answers others, leaves it out and passes the error to `report`.
 * @throws {LibvirtError} if the connection fails
 */
export async function readBasicInfo(
  session: LibvirtClient,
  domains: readonly DomainRef[],
  {
    withCpu,
    deadlineMs,
    clock,
    ask = (domain, deadlineMs) => answerOf(session, domain, { deadlineMs, clock }),
  }: {
    readonly withCpu: boolean;
    readonly deadlineMs: number;
    readonly clock: Clock;
    readonly ask?: (domain: DomainRef, deadlineMs: number) => Promise<InfoAnswer>;
  },
  report: (error: LibvirtError, domain: DomainRef) => void,
): Promise<BasicInfo[]> {
  const end = clock.monotonic() + deadlineMs;
  const infos = await Promise.all(
    domains.map(async (domain): Promise<BasicInfo[]> => {
      try {
        const answer = await undefinedIfRejected(ask(domain, deadlineMs), (error) => {
          if (!isGone(error)) report(error, domain);
        });
        if (answer === undefined || answer.info.state === DOMAIN_STATE.SHUT_OFF) return [];
        const { info, readMs } = answer;
        // One call after the other, so that a locked domain makes only one of them late.
        const cpuDeadlineMs = Math.max(1, end - clock.monotonic());
        const cpu = withCpu
          ? await undefinedIfRejected(session.domainCpuStats(domain, { deadlineMs: cpuDeadlineMs }))
          : undefined;
        return [{ domain, info, readMs, cpu: cpu && cpuTimes(cpu, clock.monotonic()) }];
      } catch (error) {
        if (!(error instanceof LibvirtError)) throw error;
        // The missed deadline that ended the connection says more than the end.
        if (!session.isOpen) throw error.cause instanceof LibvirtError ? error.cause : error;
        if (error.code !== "E_LIBVIRT_TIMEOUT") throw error;
        report(error, domain);
        return [];
      }
    }),
  );
  return infos.flat();
}

type InfoAnswer = Pick<BasicInfo, "info" | "readMs">;

async function answerOf(
  session: LibvirtClient,
  domain: DomainRef,
  { deadlineMs, clock }: { readonly deadlineMs: number; readonly clock: Clock },
): Promise<InfoAnswer> {
  const info = await session.domainInfo(domain, { deadlineMs });
  return { info, readMs: clock.monotonic() };
}

/** Returns whether cgroups provided all CPU times of a domain. */
export function hasCpuTimes({ cpu }: BasicInfo): boolean {
  return cpu?.time !== undefined && cpu.user !== undefined && cpu.system !== undefined;
}

function cpuTimes(params: TypedParameters, readMs: number): CpuTimes {
  return {
    readMs,
    time: counter(params, "cpu_time"),
    user: counter(params, "user_time"),
    system: counter(params, "system_time"),
  };
}

/** Resolves to the answer, or to undefined if the daemon rejects the call. Connection errors are thrown. */
export async function undefinedIfRejected<Answer>(
  call: Promise<Answer>,
  onRejected?: (error: LibvirtError) => void,
): Promise<Answer | undefined> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof LibvirtError) || error.code !== "E_LIBVIRT_REMOTE") throw error;
    onRejected?.(error);
    return undefined;
  }
}

/** Returns whether an error means that the domain no longer exists or no longer runs. */
export function isGone(error: unknown): boolean {
  return error instanceof LibvirtError && GONE.includes(error.libvirtCode);
}
