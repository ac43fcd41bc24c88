import type { KubeError } from "../kubernetes/kube-error.ts";
import type { ReflectorObserver } from "../kubernetes/reflector.ts";
import type { Clock } from "../lib/clock.ts";
import { RateLimit, WARNING_PERIOD_MS } from "../lib/rate-limit.ts";
import type { Logger } from "../log.ts";

/** An API server that has just started knows no rights for a moment, and denies everything to everybody. */
const STARTING_MS = 10_000;
/** The version of a watch is forgotten sooner or later; a list makes up for it. */
const GONE = 410;

/** The answer to a list of what no CustomResourceDefinition defines. */
const UNDEFINED = 404;
const UNDEFINED_KIND =
  "this cluster does not have the kind: is KubeVirt installed, and are the definitions of the chart?";

/** Says in the log what becomes of the objects of one kind; what lasts is said rarely. `what` names them in plural. */
export function reflectorLog(log: Logger, what: string, clock: Clock): ReflectorObserver {
  const warnings = new RateLimit(WARNING_PERIOD_MS, clock);
  let deniedSinceMs: number | undefined;
  const warn = ({ code, status, message }: KubeError): void => {
    if (!warnings.allows(`${code} ${status ?? ""}`)) return;
    const consequence = status === UNDEFINED ? UNDEFINED_KIND : "what was last known stays in force";
    log.warn({ code, what }, `${message}; ${consequence}`);
  };
  const passOver = ({ code, message }: KubeError): void => {
    log.debug({ code, what }, message);
  };
  return {
    listed: ({ objects, missed }) => {
      log.debug({ what, objects, missed }, "listed");
    },
    denied: (error) => {
      deniedSinceMs ??= clock.monotonic();
      if (clock.monotonic() - deniedSinceMs < STARTING_MS) passOver(error);
      else warn(error);
    },
    interrupted: (error) => {
      // Watches break off in every life of an API server; what lasts is said by the next refusal to connect.
      if (error.code === "E_KUBE_CLOSED" || error.status === GONE) passOver(error);
      else warn(error);
    },
    resumed: () => {
      deniedSinceMs = undefined;
      log.debug({ what }, "followed again");
    },
    faulted: (error) => {
      log.error({ err: error, what }, "an object could not be worked with");
    },
  };
}
