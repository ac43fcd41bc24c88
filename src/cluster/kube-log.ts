import { MAX_OBJECT_BYTES } from "../kubernetes/body-reader.ts";
import type { KubeError } from "../kubernetes/kube-error.ts";
import type { ReflectorObserver } from "../kubernetes/reflector.ts";
import type { Clock } from "../lib/clock.ts";
import { RateLimit, WARNING_PERIOD_MS } from "../lib/rate-limit.ts";
import type { Logger } from "../log.ts";

/** An API server that has just started has not read the rights yet, and denies every request. */
const STARTING_MS = 10_000;
/** The API server has forgotten the version of a watch. This is normal, and a list replaces it. */
const GONE = 410;

/** The answer to a list of a kind that no CustomResourceDefinition defines. */
const UNDEFINED = 404;
const UNDEFINED_KIND = "this cluster does not have the kind: are KubeVirt and the chart's definitions installed?";

/** Returns an observer that logs the state of one watch. `what` is the plural of its objects. Repeated warnings are rare. */
export function reflectorLog(log: Logger, what: string, clock: Clock): ReflectorObserver {
  const warnings = new RateLimit(WARNING_PERIOD_MS, clock);
  let deniedSinceMs: number | undefined;
  const warn = ({ code, status, message }: KubeError): void => {
    if (!warnings.allows(`${code} ${status ?? ""}`)) return;
    const consequence = status === UNDEFINED ? UNDEFINED_KIND : "the last known state stays active";
    log.warn({ code, what }, `${message}; ${consequence}`);
  };
  const logDebug = ({ code, message }: KubeError): void => {
    log.debug({ code, what }, message);
  };
  return {
    listed: ({ objects, missed, tooLarge, peakBytes }) => {
      log.debug({ what, objects, missed, tooLarge, peakBytes }, "listed");
      if (tooLarge > 0 && warnings.allows("too large"))
        log.warn(
          { what, tooLarge },
          `objects over ${MAX_OBJECT_BYTES / 2 ** 20} MiB in a list: they are left out, the others are used`,
        );
    },
    denied: (error) => {
      deniedSinceMs ??= clock.monotonic();
      if (clock.monotonic() - deniedSinceMs < STARTING_MS) logDebug(error);
      else warn(error);
    },
    interrupted: (error) => {
      // Watches end regularly. A lasting outage is reported by the next failure to connect.
      if (error.code === "E_KUBE_CLOSED" || error.status === GONE) logDebug(error);
      else warn(error);
    },
    resumed: () => {
      deniedSinceMs = undefined;
      log.debug({ what }, "watching again");
    },
    faulted: (error) => {
      // A tenant writes the objects, so there may be many of them.
      if (warnings.allows("fault")) log.error({ err: error, code: "E_INTERNAL", what }, "object not processed");
    },
  };
}
