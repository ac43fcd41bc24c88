import type { ReflectorObserver } from "../kubernetes/reflector.ts";
import type { Clock } from "../lib/clock.ts";
import { RateLimit } from "../lib/rate-limit.ts";
import type { Logger } from "../log.ts";

const WARNING_PERIOD_MS = 300_000;

/** Says in the log what becomes of the objects of one kind; what lasts is said rarely. `what` names them in plural. */
export function reflectorLog(log: Logger, what: string, clock: Clock): ReflectorObserver {
  const warnings = new RateLimit(WARNING_PERIOD_MS, clock);
  const warn = (code: string, message: string): void => {
    if (warnings.allows(code)) log.warn({ code, what }, `${message}; what was last known stays in force`);
  };
  return {
    listed: ({ objects, missed }) => {
      log.debug({ what, objects, missed }, "listed");
    },
    denied: ({ code, message }) => {
      warn(code, message);
    },
    interrupted: ({ code, message }) => {
      // Watches break off in every life of an API server; what lasts is said by the next refusal to connect.
      if (code === "E_KUBE_CLOSED") log.debug({ code, what }, message);
      else warn(code, message);
    },
    resumed: () => {
      log.debug({ what }, "followed again");
    },
    faulted: (error) => {
      log.error({ err: error, what }, "an object could not be worked with");
    },
  };
}
