import type { Clock } from "../../lib/clock.ts";
import type { LibvirtClient } from "../../libvirt/client.ts";
import { LibvirtError } from "../../libvirt/errors.ts";
import { DOMAIN_STATE, REMOTE_ERROR } from "../../libvirt/protocol.ts";
import type { DomainInfo, DomainRef, TypedParameters } from "../../libvirt/types.ts";
import type { CpuSample } from "../domain-sample.ts";
import { counter } from "./typed-values.ts";

/** What libvirt knows of a domain without asking QEMU: cheap, and never stuck behind a stopped one. */
export interface BasicInfo {
  readonly domain: DomainRef;
  readonly info: DomainInfo;
  /** When `info` came, on the monotonic clock. */
  readonly readMs: number;
  /** From the domain's cgroup; undefined on a daemon that has none to read (KubeVirt's session daemons). */
  readonly cpu: Pick<CpuSample, "time" | "user" | "system"> | undefined;
}

/** virErrorNumber values that mean that the domain went away since it was listed. */
const GONE: readonly (number | undefined)[] = [REMOTE_ERROR.NO_DOMAIN, REMOTE_ERROR.OPERATION_INVALID];

/**
 * Reads the facts of these domains. One that has ended meanwhile is left out; one that the daemon refuses to tell about
 * is left out and reported.
 * @throws LibvirtError when the connection fails.
 */
export async function readBasicInfo(
  session: LibvirtClient,
  domains: readonly DomainRef[],
  { withCpu, deadlineMs, clock }: { readonly withCpu: boolean; readonly deadlineMs: number; readonly clock: Clock },
  report: (error: LibvirtError) => void,
): Promise<BasicInfo[]> {
  const facts = await Promise.all(
    domains.map(async (domain): Promise<BasicInfo[]> => {
      const dated = async (): Promise<Pick<BasicInfo, "info" | "readMs">> => {
        const info = await session.domainInfo(domain, { deadlineMs });
        return { info, readMs: clock.monotonic() };
      };
      const [known, cpu] = await Promise.all([
        undefinedIfRejected(dated(), (error) => {
          if (!isGone(error)) report(error);
        }),
        withCpu ? undefinedIfRejected(session.domainCpuStats(domain, { deadlineMs })) : undefined,
      ]);
      if (known === undefined || known.info.state === DOMAIN_STATE.SHUT_OFF) return [];
      return [{ domain, ...known, cpu: cpu && cpuTimes(cpu) }];
    }),
  );
  return facts.flat();
}

function cpuTimes(params: TypedParameters): BasicInfo["cpu"] {
  return {
    time: counter(params, "cpu_time"),
    user: counter(params, "user_time"),
    system: counter(params, "system_time"),
  };
}

/** The answer, or undefined when the daemon answers that it cannot tell of this domain. */
export async function undefinedIfRejected<Answer>(
  call: Promise<Answer>,
  refused?: (error: LibvirtError) => void,
): Promise<Answer | undefined> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof LibvirtError) || error.code !== "E_LIBVIRT_REMOTE") throw error;
    refused?.(error);
    return undefined;
  }
}

/** Whether an error means that the domain is no longer there, or no longer runs. */
export function isGone(error: unknown): boolean {
  return error instanceof LibvirtError && GONE.includes(error.libvirtCode);
}
