import { messageOf } from "../errors.ts";
import { systemClock } from "../lib/clock.ts";
import { RateLimit, WARNING_PERIOD_MS } from "../lib/rate-limit.ts";
import type { Logger } from "../log.ts";

/** Rejections that are logged in five minutes. A stranger's text may be in a message, and new each time. */
const MAX_LOGGED = 5;

/**
 * Runs a command, and meanwhile logs rejections that no code handles, each message once and at most five in five minutes.
 * The process goes on.
 * Every loop of the program handles its own errors, so no part waits for the result of such a promise. Node would end the
 * process: an input that leads to one bug of this kind would then stop the telemetry of a node again and again. An exception
 * that no code catches still ends the process, because it may have left an object half changed.
 */
export async function loggingRejections<Result>(log: Logger, command: () => Promise<Result>): Promise<Result> {
  const same = new RateLimit(WARNING_PERIOD_MS, systemClock);
  const all = new RateLimit(WARNING_PERIOD_MS, systemClock, MAX_LOGGED);
  const logRejection = (reason: unknown): void => {
    // Not every value can become a text.
    const message = reason instanceof Error ? messageOf(reason) : typeof reason;
    if (!same.allows(message) || !all.allows("rejection")) return;
    log.error({ code: "E_INTERNAL", err: reason }, "a rejection was not handled: the process goes on. Report this bug");
  };
  process.on("unhandledRejection", logRejection);
  try {
    return await command();
  } finally {
    process.off("unhandledRejection", logRejection);
  }
}
