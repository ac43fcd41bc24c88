import type { Clock } from "../../lib/clock.ts";
import type { LibvirtClient } from "../../libvirt/client.ts";
import { LibvirtError } from "../../libvirt/errors.ts";
import { DOMAIN_STATE, REMOTE_ERROR } from "../../libvirt/protocol.ts";
import type { DomainInfo, DomainRef, TypedParameters } from "../../libvirt/types.ts";
import type { CpuSample } from "../domain-sample.ts";
import { counter } from "./typed-values.ts";

/** The values of a domain that libvirt has without asking QEMU. Cheap to read, and never blocked by a stopped QEMU. */
export interface BasicInfo {
  readonly domain: DomainRef;
  readonly info: DomainInfo;
  /** When `info` was received, on the monotonic clock. */
  readonly readMs: number;
  /** From the domain's cgroup; undefined if the daemon has none to read, as in KubeVirt's launchers. */
  readonly cpu: Pick<CpuSample, "time" | "user" | "system"> | undefined;
}

/** virErrorNumber values of a domain that has ended since it was listed. */
const GONE: readonly (number | undefined)[] = [REMOTE_ERROR.NO_DOMAIN, REMOTE_ERROR.OPERATION_INVALID];

/**
 * Returns the basic information of these domains. Leaves out domains that have ended. If the daemon rejects the call for a
 * domain, leaves it out and passes the error to `report`.
 * @throws LibvirtError if the connection fails
 */
export async function readBasicInfo(
  session: LibvirtClient,
  domains: readonly DomainRef[],
  { withCpu, deadlineMs, clock }: { readonly withCpu: boolean; readonly deadlineMs: number; readonly clock: Clock },
  report: (error: LibvirtError) => void,
): Promise<BasicInfo[]> {
  const infos = await Promise.all(
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
  return infos.flat();
}

function cpuTimes(params: TypedParameters): BasicInfo["cpu"] {
  return {
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
